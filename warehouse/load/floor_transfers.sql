INSERT INTO floor_transfers BY NAME
WITH listed AS (
    SELECT
        call_id,
        call_no,
        roles,
        unnest(floor.transfers) AS x,
        generate_subscripts(floor.transfers, 1) - 1 AS transfer_index
    FROM staged
)
SELECT
    call_id,
    call_no,
    transfer_index,
    x.at_s,
    x.from_party,
    roles[x.from_party] AS from_role,
    x.to_party,
    roles[x.to_party] AS to_role,
    x.offset_s
FROM listed;
