-- Inserts samples that have a near-duplicate under another code as suspected labels of a new report.
--
-- Numbers: suspicion 2 is NEAR_DUPLICATE.
-- Indexes: sample_result_by_ordinal (report_id, ordinal).
-- Locks: none but those of the inserted rows; the report is not visible before its transaction commits.
-- Example: ordinals {7}, twins {31}, distances {4}, bits 256: sample 7 is inserted with twin_ordinal 31 and
--          score 1 - 4 / 256 = 0.984.
INSERT INTO suspected_label
    (report_id, ordinal, suspicion, score, true_code, usual_confidence, twin_ordinal, distance)
SELECT s.report_id, s.ordinal, 2, 1 - d.distance / CAST(:bits AS float8), s.true_code, 0, d.twin, d.distance
FROM unnest(CAST(:ordinals AS int[]), CAST(:twins AS int[]), CAST(:distances AS int[]))
    AS d(ordinal, twin, distance)
JOIN sample_result s ON s.report_id = :report AND s.ordinal = d.ordinal
