-- Question: how urgent is job `j`, if it is the first of its lane `lanes` (T8)?
--   A lane gains one priority for every :ageing_s seconds since one of its jobs was leased, up to $most_urgent.
--   A job that was leased before is more urgent than any job that was not.
-- An expression, not a statement: admission_front.sql and queue_ranking.sql include it.
-- Indexes: none. Locks: none.
-- Example: priority 3, :ageing_s 1800, lane served 61 minutes ago: 3 + 2 = 5.
CASE WHEN j.fencing_token > 0 THEN $most_urgent + 1
    ELSE least($most_urgent, j.priority + greatest(0, CAST(floor(extract(
        epoch FROM statement_timestamp() - greatest(lanes.served_time, j.queue_time)) / :ageing_s) AS integer)))
END
