-- Question: with which input sizes was a network trained on a compute resource (W14)?
--   A loose index scan: one step a size, however many trainings had it.
-- Indexes: throughputs_latest.
-- Locks: none.
-- Example: :compute_resource 'computeResources/cpu', :network 1.
WITH RECURSIVE sizes AS (
    (
        SELECT width, height, detail FROM throughputs
        WHERE compute_resource = :compute_resource AND network = :network
        ORDER BY width, height, detail LIMIT 1
    )
    UNION ALL
    SELECT following.* FROM sizes s CROSS JOIN LATERAL (
        SELECT t.width, t.height, t.detail FROM throughputs t
        WHERE t.compute_resource = :compute_resource AND t.network = :network
            AND (t.width, t.height, t.detail) > (s.width, s.height, s.detail)
        ORDER BY t.width, t.height, t.detail LIMIT 1
    ) following
)
SELECT width, height, detail FROM sizes
