CREATE TABLE facts.floor_transfers (
    call_no INTEGER NOT NULL,
    transfer_index BIGINT NOT NULL,
    at_s DOUBLE NOT NULL,
    from_party VARCHAR NOT NULL,
    from_role VARCHAR,
    to_party VARCHAR NOT NULL,
    to_role VARCHAR,
    offset_s DOUBLE NOT NULL
);
COMMENT ON VIEW floor_transfers IS 'One row a change of speaker. Key: call_id, transfer_index.';
COMMENT ON COLUMN floor_transfers.transfer_index IS 'Place of the change in the call, from 0.';
COMMENT ON COLUMN floor_transfers.at_s IS 'When the next party began, seconds on the call''s clock.';
COMMENT ON COLUMN floor_transfers.from_party IS 'Who had the floor.';
COMMENT ON COLUMN floor_transfers.from_role IS 'Role of who had the floor.';
COMMENT ON COLUMN floor_transfers.to_party IS 'Who took the floor.';
COMMENT ON COLUMN floor_transfers.to_role IS 'Role of who took the floor.';
COMMENT ON COLUMN floor_transfers.offset_s IS 'Start of the next minus end of the last, seconds; negative is overlap.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.floor_transfers BY NAME
WITH listed AS (
    SELECT
        call_no,
        roles,
        unnest(floor.transfers) AS x,
        generate_subscripts(floor.transfers, 1) - 1 AS transfer_index
    FROM staged
)
SELECT
    call_no,
    transfer_index,
    x.at_s,
    x.from_party,
    roles[x.from_party] AS from_role,
    x.to_party,
    roles[x.to_party] AS to_role,
    x.offset_s
FROM listed;
