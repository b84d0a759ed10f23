INSERT INTO stage_keys BY NAME
WITH passed AS (SELECT call_id, unnest(stage_keys) AS s FROM staged)
SELECT call_id, s.stage, s.key, s.seconds FROM passed;
