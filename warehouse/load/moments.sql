INSERT INTO moments BY NAME
WITH listed AS (
    SELECT
        call_id,
        call_no,
        unnest(empathy.moments) AS x,
        generate_subscripts(empathy.moments, 1) - 1 AS moment_index
    FROM staged
)
SELECT
    call_id,
    call_no,
    moment_index,
    x.kind,
    x.label,
    x.turn_index,
    x.party,
    x.role,
    x.start_s,
    x.end_s,
    x.text,
    x.rule,
    x.strength
FROM listed;
