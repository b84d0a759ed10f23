CREATE TABLE facts.metrics (
    call_no INTEGER NOT NULL,
    party VARCHAR,
    role VARCHAR,
    name VARCHAR NOT NULL,
    value DOUBLE,
    numerator DOUBLE,
    denominator DOUBLE,
    observations BIGINT,
    coverage DOUBLE NOT NULL,
    confidence DOUBLE NOT NULL,
    speaker_source VARCHAR,
    version BIGINT,
    reason VARCHAR,
    evidence STRUCT(start_s DOUBLE, end_s DOUBLE)[] NOT NULL
);
COMMENT ON VIEW metrics IS 'One row a measure of a call, or of one party in it. Key: call_id, party, name.';
COMMENT ON COLUMN metrics.party IS 'The party measured (parties.party); NULL for a measure of the whole call.';
COMMENT ON COLUMN metrics.role IS 'Role of that party; NULL for a measure of the whole call.';
COMMENT ON COLUMN metrics.name IS 'The measure (metric_definitions.name).';
COMMENT ON COLUMN metrics.value IS 'The value in the definition''s unit; NULL means it cannot be said, which is not zero.';
COMMENT ON COLUMN metrics.numerator IS 'Of a rate: its numerator. Of a count: the count.';
COMMENT ON COLUMN metrics.denominator IS 'Of a rate: its denominator, such as the number of opportunities.';
COMMENT ON COLUMN metrics.observations IS 'How many observations the value rests on.';
COMMENT ON COLUMN metrics.coverage IS 'Share of what should be looked at that could be, 0..1.';
COMMENT ON COLUMN metrics.confidence IS 'How sure the value is, 0..1.';
COMMENT ON COLUMN metrics.speaker_source IS 'How the parties were told apart: channel, diarization or none.';
COMMENT ON COLUMN metrics.version IS 'Version of the definition it was measured by (metric_definitions.version).';
COMMENT ON COLUMN metrics.reason IS 'Why there is no value; NULL when there is one.';
COMMENT ON COLUMN metrics.evidence IS 'Where in the call it was found, as spans of the call''s clock; the view metric_evidence has a row each.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.metrics BY NAME
WITH measured AS (
    SELECT
        call_no,
        roles,
        speech.source AS speaker_source,
        metric_versions,
        unnest(metrics) AS m
    FROM staged
)
SELECT
    call_no,
    m.party,
    roles[m.party] AS role,
    m.name,
    m.value,
    m.numerator,
    m.denominator,
    m.observations,
    m.coverage,
    m.confidence,
    speaker_source,
    metric_versions[m.name] AS version,
    m.reason,
    m.evidence
FROM measured
ORDER BY m.name, call_no;
