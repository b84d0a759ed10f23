INSERT INTO quotes BY NAME
WITH listed AS (
    SELECT
        call_id,
        call_no,
        unnest(empathy.quotes) AS x,
        generate_subscripts(empathy.quotes, 1) - 1 AS quote_index
    FROM staged
)
SELECT
    call_id,
    call_no,
    quote_index,
    x.turn_index,
    x.start_s,
    x.end_s,
    x.text,
    x.cue
FROM listed;
