CREATE TABLE facts.models (
    call_no INTEGER NOT NULL,
    model VARCHAR NOT NULL,
    version VARCHAR NOT NULL
);
COMMENT ON VIEW models IS 'One row a model that a call was analyzed with. Key: call_id, model.';
COMMENT ON COLUMN models.model IS 'What the model is for.';
COMMENT ON COLUMN models.version IS 'Which model it was.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.models BY NAME
WITH used AS (SELECT call_no, unnest(map_entries(models)) AS m FROM staged)
SELECT call_no, m.key AS model, m.value AS version FROM used;
