-- Question: none; stores what a worker announced, and increments the admission epoch.
--   The leases of an earlier process of the same name are revoked: they end at :revoked. A process that started
--   before the stored one changes nothing.
-- Indexes: workers_pkey, jobs_held (worker) WHERE state = 'LEASED'.
-- Locks: the admission epoch (`turns`) first, as in admission_grant.sql; then the worker's row and its leased jobs.
-- Example: :name 'workers/trainer-1', :kinds {TRAIN}, :compute_resources {computeResources/gpu}, :gpus 2 …
WITH epoch AS (UPDATE turns SET number = number + 1 RETURNING number),
orphaned AS (
    UPDATE jobs SET lease_expire_time = :revoked
    WHERE worker = :name AND state = 'LEASED'
        AND EXISTS (SELECT FROM workers WHERE name = :name AND start_time < :start_time)
)
INSERT INTO workers (name, kinds, compute_resources, gpus, cpus, memory_bytes, start_time, last_seen,
    version, torch_version, device)
SELECT :name, :kinds, :compute_resources, :gpus, :cpus, :memory_bytes, :start_time, :now,
    :version, :torch_version, :device FROM epoch
ON CONFLICT (name) DO UPDATE SET kinds = excluded.kinds, compute_resources = excluded.compute_resources,
    gpus = excluded.gpus, cpus = excluded.cpus, memory_bytes = excluded.memory_bytes,
    start_time = excluded.start_time, last_seen = excluded.last_seen, version = excluded.version,
    torch_version = excluded.torch_version, device = excluded.device
WHERE workers.start_time <= excluded.start_time
RETURNING name
