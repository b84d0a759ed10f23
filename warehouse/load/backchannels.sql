INSERT INTO backchannels BY NAME
WITH listed AS (
    SELECT
        call_id,
        call_no,
        roles,
        unnest(floor.backchannels) AS x,
        generate_subscripts(floor.backchannels, 1) - 1 AS backchannel_index
    FROM staged
)
SELECT
    call_id,
    call_no,
    backchannel_index,
    x.party,
    roles[x.party] AS role,
    x.start_s,
    x.end_s,
    x.text
FROM listed;
