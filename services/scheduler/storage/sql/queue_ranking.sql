-- Question: in which order would the queued tasks start, for each compute resource and pool (T4)?
--   The order of admission_front.sql: a user's k-th job competes as if the k - 1 jobs before it were running.
--   Trainings are one pool; all other kinds are another one.
-- Indexes: jobs_in_line, jobs_leased, lines_pkey. It reads the whole queue.
-- Locks: none.
-- Example: two rows, {t3, t1, t2} and {t9}: t3 has position 1, t2 position 3, t9 position 1.
WITH running AS (SELECT creator, count(*) AS n FROM jobs WHERE state = 'LEASED' GROUP BY creator),
queued AS (
    SELECT j.task, j.id, j.creator, j.compute_resource, j.kind = 'TRAIN' AS pool, j.queue_time,
        CASE WHEN j.fencing_token = 0 AND row_number() OVER (
            PARTITION BY j.compute_resource, j.kind, j.creator, j.priority ORDER BY j.queue_time, j.id
        ) > 1 THEN j.priority ELSE $urgency END AS urgency
    FROM jobs j LEFT JOIN lines lanes USING (compute_resource, kind, creator, priority)
    WHERE j.state = 'QUEUED'
),
ranked AS (
    SELECT q.*, coalesce(r.n, 0) + row_number() OVER (
        PARTITION BY q.compute_resource, q.pool, q.urgency, q.creator ORDER BY q.queue_time, q.id
    ) AS running
    FROM queued q LEFT JOIN running r ON r.creator = q.creator
)
SELECT array_agg(task ORDER BY $queue_order) AS tasks
FROM ranked GROUP BY compute_resource, pool
