INSERT INTO redactions BY NAME
WITH listed AS (
    SELECT
        call_id,
        call_no,
        unnest(redactions) AS x,
        generate_subscripts(redactions, 1) - 1 AS redaction_index
    FROM staged
)
SELECT
    call_id,
    call_no,
    redaction_index,
    x.value_index,
    x.party,
    x.kind,
    x.start_s,
    x.end_s
FROM listed;
