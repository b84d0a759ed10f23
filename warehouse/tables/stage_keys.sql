CREATE TABLE stage_keys (
    call_id VARCHAR NOT NULL,
    call_no INTEGER,
    stage VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    seconds DOUBLE NOT NULL
);
COMMENT ON TABLE stage_keys IS 'One row a stage of an analysis: the content address of its result. Key: call_id, stage.';
COMMENT ON COLUMN stage_keys.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN stage_keys.call_no IS 'Internal number of the call (calls.call_no); join by call_id.';
COMMENT ON COLUMN stage_keys.stage IS 'The stage: speech, words, turns, ...';
COMMENT ON COLUMN stage_keys.key IS 'Digest of everything the result depends on; equal keys, equal results.';
COMMENT ON COLUMN stage_keys.seconds IS 'Computing time when the result was made, seconds.';

-- load: what the analyses in `staged` have of it.
INSERT INTO stage_keys BY NAME
WITH passed AS (SELECT call_id, call_no, unnest(stage_keys) AS s FROM staged)
SELECT call_id, call_no, s.stage, s.key, s.seconds FROM passed;
