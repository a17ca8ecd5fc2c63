-- Question: is the task to be terminated, which version has the job now, when does its lease end, and is its worker
--   drained? No row: the job changed since it was read, and nothing was stored.
--   Stores everything that a heartbeat changes. Every part depends on `held`, the job at the version that was
--   read. `held` stands in subqueries only: a join with it could not be evaluated again when PostgreSQL finds
--   that a row changed while it waited for the task's lock.
-- Indexes: primary keys of tasks, jobs, curves, loss_chunks, log_chunks, validation_points,
--   nonconforming_samples and orphan candidates (`garbage`).
-- Locks: the task's row, then the job's, as everywhere.
-- Example: ten points of network 1 from iteration 120 on: :networks {1}, :next_iterations {130},
--   :chunk_networks {1}, :chunks {0}, :chunk_points {40 bytes}; returns (false, '8812', now + :lease, false).
WITH locked AS MATERIALIZED (
    SELECT terminating FROM tasks WHERE id = :task FOR NO KEY UPDATE
),
held AS (
    UPDATE jobs SET lease_expire_time = clock_timestamp() + :lease,
        recoveries = CASE WHEN :advances THEN 0 ELSE recoveries END,
        reached = :reached,
        checkpoint_sha256 = coalesce(:sha256, checkpoint_sha256),
        checkpoint_network = coalesce(:network, checkpoint_network),
        checkpoint_iteration = coalesce(:iteration, checkpoint_iteration)
    WHERE id = :job AND fencing_token = :token AND CAST(xmin AS text) = :version
        AND EXISTS (SELECT FROM locked)
    RETURNING CAST(xmin AS text) AS version, lease_expire_time,
        EXISTS (SELECT FROM workers w WHERE w.name = jobs.worker AND w.drain_time IS NOT NULL) AS drained
),
superseded_checkpoint AS (
    INSERT INTO garbage (key, not_before)
    SELECT :superseded, clock_timestamp() + :grace WHERE :superseded IS NOT NULL AND EXISTS (SELECT FROM held)
    ON CONFLICT (key) DO UPDATE SET not_before = greatest(garbage.not_before, excluded.not_before)
),
moved_positions AS (
    UPDATE curves SET points = v.points, lines = v.lines, step_time = v.step_time
    FROM unnest(:networks, :next_iterations, :next_lines, :step_times)
        AS v (network, points, lines, step_time)
    WHERE curves.task = :task AND curves.attempt = :attempt AND curves.network = v.network
        AND EXISTS (SELECT FROM held)
),
appended_points AS (
    INSERT INTO loss_chunks (task, attempt, network, chunk, points)
    SELECT :task, :attempt, v.network, v.chunk, v.points
    FROM unnest(:chunk_networks, :chunks, :chunk_points) AS v (network, chunk, points)
    WHERE EXISTS (SELECT FROM held)
    ON CONFLICT (task, attempt, network, chunk)
        DO UPDATE SET points = loss_chunks.points || excluded.points
),
appended_log AS (
    INSERT INTO log_chunks (task, attempt, network, first_line, lines)
    SELECT :task, :attempt, v.network, min(v.number), array_agg(v.line ORDER BY v.number)
    FROM unnest(:line_networks, :line_numbers, :lines) AS v (network, number, line)
    WHERE EXISTS (SELECT FROM held)
    GROUP BY v.network
),
stored_validations AS (
    INSERT INTO validation_points (task, attempt, network, iteration, accuracy)
    SELECT :task, :attempt, v.network, v.iteration, v.accuracy
    FROM unnest(:validation_networks, :validation_iterations, :accuracies)
        AS v (network, iteration, accuracy)
    WHERE EXISTS (SELECT FROM held)
    ON CONFLICT (task, attempt, network, iteration) DO UPDATE SET accuracy = excluded.accuracy
),
stored_nonconforming AS (
    INSERT INTO nonconforming_samples
        (task, attempt, data_path, file, sha256, reason, message, width, height, message_zh)
    SELECT :task, :attempt, v.*
    FROM unnest(:data_paths, :files, :sha256s, :reasons, :messages, :widths, :heights, :messages_zh) AS v
    WHERE EXISTS (SELECT FROM held)
    ON CONFLICT (task, attempt, data_path, file) DO UPDATE SET sha256 = excluded.sha256,
        reason = excluded.reason, message = excluded.message,
        width = excluded.width, height = excluded.height, message_zh = excluded.message_zh
),
changed_task AS (
    UPDATE tasks SET revision = revision + 1, phase = :phase,
        progress = coalesce(CAST(:progress AS jsonb), progress),
        stages = CAST(:stages AS jsonb)
    WHERE id = :task AND :changes_task AND EXISTS (SELECT FROM held)
),
events AS ($insert_into_outbox WHERE EXISTS (SELECT FROM held))
SELECT terminating, version, lease_expire_time, drained, CASE WHEN :is_news THEN pg_notify(:channel, '') END FROM locked, held
