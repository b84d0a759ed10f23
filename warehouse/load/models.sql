INSERT INTO models BY NAME
WITH used AS (SELECT call_id, call_no, unnest(map_entries(models)) AS m FROM staged)
SELECT call_id, call_no, m.key AS model, m.value AS version FROM used;
