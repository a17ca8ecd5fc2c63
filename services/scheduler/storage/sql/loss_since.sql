-- Question: which points and validations of a curve follow a cursor (M3, M5)?
--   A cursor of an attempt that the task does not have, or no cursor, means the start of the current attempt.
--   At most :chunks chunks are read; `length` says whether there are more. `packed` starts with the whole chunk
--   of the cursor's iteration.
--   Of a thinned curve all that is left is read; `curves.points` is 0 then.
-- Indexes: primary keys of tasks, curves, loss_chunks, thinned_curves and validation_points.
-- Locks: none. One statement, so that points, length and state are of one moment.
-- Example: :attempt 1, :iteration 500, :chunk_size 480, :chunks 64 reads chunks 1 to 64 of attempt 1.
SELECT t.state, t.attempt AS present, start.attempt, start.iteration, start.validation,
    c.points AS length, c.step_time,
    k.length AS thinned_length, k.iterations AS thinned_iterations, k.losses AS thinned_losses,
    (
        SELECT string_agg(l.points, '' ORDER BY l.chunk) FROM loss_chunks l
        WHERE l.task = t.id AND l.attempt = start.attempt AND l.network = :network
            AND l.chunk >= start.iteration / :chunk_size AND l.chunk < start.iteration / :chunk_size + :chunks
    ) AS packed,
    (
        SELECT array_agg(ARRAY[v.iteration, v.accuracy] ORDER BY v.iteration) FROM validation_points v
        WHERE v.task = t.id AND v.attempt = start.attempt AND v.network = :network
            AND v.iteration BETWEEN start.validation AND coalesce(k.length, c.points)
    ) AS validations
FROM tasks t
JOIN LATERAL (
    SELECT :attempt AS attempt, :iteration AS iteration, :validation AS validation
    WHERE :attempt BETWEEN 1 AND t.attempt
    UNION ALL SELECT t.attempt, 0, 0 WHERE :attempt NOT BETWEEN 1 AND t.attempt
) start ON true
JOIN curves c ON c.task = t.id AND c.attempt = start.attempt AND c.network = :network
LEFT JOIN thinned_curves k ON k.task = t.id AND k.attempt = start.attempt AND k.network = :network
WHERE t.id = :task
