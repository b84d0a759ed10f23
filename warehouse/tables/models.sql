CREATE TABLE models (
    call_id VARCHAR NOT NULL,
    call_no INTEGER,
    model VARCHAR NOT NULL,
    version VARCHAR NOT NULL
);
COMMENT ON TABLE models IS 'One row a model that a call was analyzed with. Key: call_id, model.';
COMMENT ON COLUMN models.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN models.call_no IS 'Internal number of the call (calls.call_no); join by call_id.';
COMMENT ON COLUMN models.model IS 'What the model is for.';
COMMENT ON COLUMN models.version IS 'Which model it was.';

-- load: what the analyses in `staged` have of it.
INSERT INTO models BY NAME
WITH used AS (SELECT call_id, call_no, unnest(map_entries(models)) AS m FROM staged)
SELECT call_id, call_no, m.key AS model, m.value AS version FROM used;
