INSERT INTO stage_keys BY NAME
WITH passed AS (SELECT call_id, call_no, unnest(stage_keys) AS s FROM staged)
SELECT call_id, call_no, s.stage, s.key, s.seconds FROM passed;
