CREATE TABLE facts.stage_keys (
    call_no INTEGER NOT NULL,
    stage VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    seconds DOUBLE NOT NULL
);
COMMENT ON VIEW stage_keys IS 'One row a stage of an analysis: the content address of its result. Key: call_id, stage.';
COMMENT ON COLUMN stage_keys.stage IS 'The stage: speech, words, turns, ...';
COMMENT ON COLUMN stage_keys.key IS 'Digest of everything the result depends on; equal keys, equal results.';
COMMENT ON COLUMN stage_keys.seconds IS 'Computing time when the result was made, seconds.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.stage_keys BY NAME
WITH passed AS (SELECT call_no, unnest(stage_keys) AS s FROM staged)
SELECT call_no, s.stage, s.key, s.seconds FROM passed;
