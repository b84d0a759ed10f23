CREATE VIEW metric_evidence AS
SELECT
    call_id,
    party,
    role,
    name,
    generate_subscripts(evidence, 1) - 1 AS evidence_index,
    unnest(evidence).start_s AS start_s,
    unnest(evidence).end_s AS end_s
FROM metrics;

COMMENT ON VIEW metric_evidence IS 'One row per segment of a call on which a measure rests.';
COMMENT ON COLUMN metric_evidence.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN metric_evidence.party IS 'The party measured (parties.party); NULL for a measure of the whole call.';
COMMENT ON COLUMN metric_evidence.role IS 'Role of that party; NULL for a measure of the whole call.';
COMMENT ON COLUMN metric_evidence.name IS 'The measure (metric_definitions.name).';
COMMENT ON COLUMN metric_evidence.evidence_index IS 'Place among the spans of the measure, from 0.';
COMMENT ON COLUMN metric_evidence.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN metric_evidence.end_s IS 'End on the call''s clock, seconds.';
