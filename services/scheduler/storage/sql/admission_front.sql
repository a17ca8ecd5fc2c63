-- Question: which waiting jobs can be among the next :depth grants to the workers that ask (T8)?
--   1. A loose index scan finds the lanes of every requested compute resource and kind, however long they are.
--   2. The first job of each lane that fits into the worker gives the lane's urgency.
--   3. :depth grants go at most to the first :depth users; lanes behind those are left out.
--   4. Of each remaining lane the first :depth jobs are returned.
--   Jobs that are larger than the worker's capacity are left to other workers.
-- Indexes: jobs_in_line (compute_resource, kind, creator, priority, queue_time, id) WHERE state = 'QUEUED',
--   jobs_leased (creator) WHERE state = 'LEASED', lines_pkey.
--   Run it with _FORCE_INDEX_SCANS: a lane can hold thousands of jobs, and only its first are needed.
-- Locks: none.
-- Example: :resources {computeResources/gpu}, :kinds {TRAIN}, :gpus {1}, :cpus {8}, :memory_bytes {2^34},
--   :depth 1 returns one row for each lane of the user whose job is next, with the job's urgency.
WITH RECURSIVE requests AS (
    SELECT DISTINCT * FROM unnest(:resources, :kinds, :gpus, :cpus, :memory_bytes)
        AS r (compute_resource, kind, gpus, cpus, memory_bytes)
),
lane AS (
    SELECT first_lane.*
    FROM (SELECT DISTINCT compute_resource, kind FROM requests) r CROSS JOIN LATERAL (
        SELECT compute_resource, kind, creator, priority FROM jobs
        WHERE state = 'QUEUED' AND compute_resource = r.compute_resource AND kind = r.kind
        ORDER BY creator, priority LIMIT 1
    ) first_lane
    UNION ALL
    SELECT next_lane.*
    FROM lane CROSS JOIN LATERAL (
        SELECT compute_resource, kind, creator, priority FROM jobs
        WHERE state = 'QUEUED' AND compute_resource = lane.compute_resource AND kind = lane.kind
            AND (creator, priority) > (lane.creator, lane.priority)
        ORDER BY creator, priority LIMIT 1
    ) next_lane
),
running AS MATERIALIZED (
    SELECT creator, count(*) AS n FROM jobs WHERE state = 'LEASED' GROUP BY creator
),
lane_head AS (
    SELECT r.*, lane.creator, lane.priority, lanes.served_time, coalesce(running.n, 0) AS running,
        j.queue_time, j.id, $urgency AS urgency
    FROM requests r JOIN lane USING (compute_resource, kind)
    CROSS JOIN LATERAL (
        SELECT * FROM jobs
        WHERE state = 'QUEUED' AND compute_resource = lane.compute_resource AND kind = lane.kind
            AND creator = lane.creator AND priority = lane.priority AND available_time <= statement_timestamp()
            AND gpus <= r.gpus AND cpus <= r.cpus AND memory_bytes <= r.memory_bytes
        ORDER BY queue_time, id LIMIT 1
    ) j
    LEFT JOIN lines lanes ON lanes.compute_resource = lane.compute_resource AND lanes.kind = lane.kind
        AND lanes.creator = lane.creator AND lanes.priority = lane.priority
    LEFT JOIN running ON running.creator = lane.creator
),
ranked AS (
    SELECT *, row_number() OVER (
        PARTITION BY compute_resource, kind, gpus, cpus, memory_bytes, creator ORDER BY $queue_order
    ) = 1 AS is_first_of_user
    FROM lane_head
),
candidate AS (
    SELECT *, count(*) FILTER (WHERE is_first_of_user) OVER (
        PARTITION BY compute_resource, kind, gpus, cpus, memory_bytes ORDER BY $queue_order
    ) AS users
    FROM ranked
)
SELECT lanes.compute_resource, lanes.kind, lanes.creator, lanes.priority, lanes.running,
    j.id, j.task, j.gpus, j.cpus, j.memory_bytes, j.queue_time, $urgency AS urgency
FROM candidate lanes CROSS JOIN LATERAL (
    SELECT * FROM jobs
    WHERE state = 'QUEUED' AND compute_resource = lanes.compute_resource AND kind = lanes.kind
        AND creator = lanes.creator AND priority = lanes.priority AND available_time <= statement_timestamp()
        AND gpus <= lanes.gpus AND cpus <= lanes.cpus AND memory_bytes <= lanes.memory_bytes
    ORDER BY queue_time, id LIMIT :depth
) j
WHERE users <= :depth
