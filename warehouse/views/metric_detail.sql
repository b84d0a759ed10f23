CREATE VIEW metric_detail AS
SELECT
    metrics.call_id,
    metrics.party,
    metrics.role,
    metrics.name,
    metrics.value,
    metrics.numerator,
    metrics.denominator,
    metrics.observations,
    metrics.coverage,
    metrics.confidence,
    metrics.speaker_source,
    metrics.reason,
    definitions.unit,
    definitions.definition,
    definitions.source,
    definitions.validated,
    metrics.version,
    definitions.is_current,
    review_summary.verdict AS review_verdict,
    review_summary.should_be AS review_should_be,
    review_summary.remarks AS review_remarks
FROM metrics
LEFT JOIN metric_definitions AS definitions
    ON definitions.name = metrics.name AND definitions.version = metrics.version
LEFT JOIN review_summary
    ON review_summary.subject = 'metric' AND review_summary.call_id = metrics.call_id
    AND review_summary.name = metrics.name AND review_summary.party IS NOT DISTINCT FROM metrics.party;

COMMENT ON VIEW metric_detail IS 'One row a measure of a call or party with its unit and meaning beside it.';
COMMENT ON COLUMN metric_detail.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN metric_detail.party IS 'The party measured (parties.party); NULL for a measure of the whole call.';
COMMENT ON COLUMN metric_detail.role IS 'Role of that party; NULL for a measure of the whole call.';
COMMENT ON COLUMN metric_detail.name IS 'The measure (metric_definitions.name).';
COMMENT ON COLUMN metric_detail.value IS 'The value in the definition''s unit; NULL means it cannot be said, which is not zero.';
COMMENT ON COLUMN metric_detail.reason IS 'Why there is no value; NULL when there is one.';
COMMENT ON COLUMN metric_detail.source IS 'Where the definition comes from.';
COMMENT ON COLUMN metric_detail.version IS 'Version of the definition it was measured by (metric_definitions.version).';
COMMENT ON COLUMN metric_detail.review_verdict IS 'What people who listened say of this value: right, wrong or disputed; NULL when nobody reviewed it.';
COMMENT ON COLUMN metric_detail.review_should_be IS 'What the value should be; NULL when nobody said.';
COMMENT ON COLUMN metric_detail.review_remarks IS 'Who said why.';
