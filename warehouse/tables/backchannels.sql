CREATE TABLE facts.backchannels (
    call_no INTEGER NOT NULL,
    backchannel_index BIGINT NOT NULL,
    party VARCHAR NOT NULL,
    role VARCHAR,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    text VARCHAR
);
COMMENT ON VIEW backchannels IS 'One row a short sound of one party while another holds the floor. Key: call_id, backchannel_index.';
COMMENT ON COLUMN backchannels.backchannel_index IS 'Place of the backchannel in the call, from 0.';
COMMENT ON COLUMN backchannels.party IS 'Who utters it (parties.party).';
COMMENT ON COLUMN backchannels.role IS 'Role of that party.';
COMMENT ON COLUMN backchannels.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN backchannels.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN backchannels.text IS 'Words recognised in it; NULL when it is known from the sound alone.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.backchannels BY NAME
WITH listed AS (
    SELECT
        call_no,
        roles,
        unnest(floor.backchannels) AS x,
        generate_subscripts(floor.backchannels, 1) - 1 AS backchannel_index
    FROM staged
)
SELECT
    call_no,
    backchannel_index,
    x.party,
    roles[x.party] AS role,
    x.start_s,
    x.end_s,
    x.text
FROM listed;
