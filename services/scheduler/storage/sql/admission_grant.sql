-- Question: which of the grants could be stored? No row at all: another admission incremented the epoch.
--   One row with job NULL: the epoch was current, but no grant could be stored.
--   A task is left out if it is locked by another transaction, or if its revision changed since it was read:
--   it may not be waiting any more.
-- Indexes: primary keys of tasks, jobs and lanes (`lines`).
-- Locks: the admission epoch (`turns`) first, then the tasks (skipping locked ones), then the jobs and lanes.
--   Every writer takes them in this order. Outbox rows keep the order of the grants.
-- Example: :epoch 17, :job {j1, j2}, :worker {workers/a, workers/b}, … returns (j1), (j2) and wakes the watchers
--   of both tasks.
WITH epoch AS (UPDATE turns SET number = number + 1 WHERE number = :epoch RETURNING number),
requested AS MATERIALIZED (
    SELECT * FROM unnest(
        :job, :worker, :token, :task, :seen_revision, :revision, :state_revision, :from_state, :state, :phase,
        :start_time, :attempt, :message_id, :subject, :payload, :headers
    ) WITH ORDINALITY AS v (
        job, worker, token, task, seen_revision, revision, state_revision, from_state, state, phase,
        start_time, attempt, message_id, subject, payload, headers, number
    )
),
locked AS MATERIALIZED (
    SELECT id FROM tasks
    WHERE id = ANY(:task) AND revision = (:seen_revision)[array_position(:task, id)]
        AND EXISTS (SELECT FROM epoch)
    FOR NO KEY UPDATE SKIP LOCKED
),
granted AS (
    UPDATE jobs j SET state = 'LEASED', worker = v.worker, fencing_token = v.token,
        lease_expire_time = :expires
    FROM requested v
    WHERE j.id = v.job AND j.state = 'QUEUED' AND v.task IN (SELECT id FROM locked)
    RETURNING j.id, j.task, j.compute_resource, j.kind, j.creator, j.priority
),
served_lanes AS (
    INSERT INTO lines (compute_resource, kind, creator, priority, served_time)
    SELECT DISTINCT compute_resource, kind, creator, priority, CAST(:now AS timestamptz) FROM granted
    ON CONFLICT (compute_resource, kind, creator, priority)
        DO UPDATE SET served_time = excluded.served_time
),
changed_tasks AS (
    UPDATE tasks t SET state = v.state, phase = v.phase, start_time = v.start_time,
        revision = v.revision, state_revision = v.state_revision
    FROM requested v WHERE t.id = v.task AND t.id IN (SELECT task FROM granted)
),
-- Grants that change the state of their task.
entered AS (SELECT * FROM requested WHERE message_id IS NOT NULL AND task IN (SELECT task FROM granted)),
recorded AS (
    INSERT INTO transitions (task, revision, from_state, to_state, time, cause, attempt)
    SELECT task, revision, from_state, state, :now, worker, attempt FROM entered
),
events AS (
    INSERT INTO outbox (message_id, subject, payload, headers)
    SELECT message_id, subject, payload, CAST(headers AS jsonb) FROM entered ORDER BY number
)
SELECT v.job, pg_notify(v.channel, '') FROM epoch LEFT JOIN (
    SELECT granted.id AS job, '$task_channel' || granted.task AS channel FROM granted
) v ON true
