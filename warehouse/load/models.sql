INSERT INTO models BY NAME
WITH used AS (SELECT call_id, unnest(map_entries(models)) AS m FROM staged)
SELECT call_id, m.key AS model, m.value AS version FROM used;
