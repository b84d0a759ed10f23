INSERT INTO silences BY NAME
WITH listed AS (
    SELECT
        call_id,
        call_no,
        unnest(floor.silences) AS x,
        generate_subscripts(floor.silences, 1) - 1 AS silence_index
    FROM staged
)
SELECT
    call_id,
    call_no,
    silence_index,
    x.start_s,
    x.end_s,
    x.kind
FROM listed;
