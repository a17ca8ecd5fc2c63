-- Which labels does the model contradict with confidence? Inserts them as suspected labels of a new report.
--
-- Confident learning (Northcutt, Jiang and Chuang 2021): a misjudged sample is suspected if the confidence
-- in its predicted code is not below the mean confidence in that code over the samples labelled with it.
--
-- Numbers: suspicion 1 is CONFIDENTLY_WRONG; verdict 2 is MISJUDGED, 3 is NONCONFORMING.
-- Indexes: sample_result_by_verdict (report_id, verdict, …), for both reads of the report's samples.
-- Locks: none but those of the inserted rows; the report is not visible before its transaction commits.
-- Example: samples labelled B have confidence 0.90 in B on average. A sample labelled A and predicted as B
--          with 0.95 is inserted with score 0.95 and usual_confidence 0.90; one predicted with 0.80 is not.
WITH usual AS (
    SELECT true_code AS code,
        avg(coalesce(top_scores[array_position(top_codes, true_code)], 0)) AS confidence
    FROM sample_result
    WHERE report_id = :report AND verdict <> 3
    GROUP BY true_code
)
INSERT INTO suspected_label
    (report_id, ordinal, suspicion, score, true_code, usual_confidence, twin_ordinal, distance)
SELECT s.report_id, s.ordinal, 1, s.confidence, s.true_code, u.confidence, NULL, 0
FROM sample_result s JOIN usual u ON u.code = s.predicted_code
WHERE s.report_id = :report AND s.verdict = 2 AND s.confidence >= u.confidence
