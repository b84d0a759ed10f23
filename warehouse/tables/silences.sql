CREATE TABLE silences (
    call_id VARCHAR NOT NULL,
    call_no INTEGER,
    silence_index BIGINT NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    kind VARCHAR NOT NULL
);
COMMENT ON TABLE silences IS 'One row per segment in which no party speaks. Key: call_id, silence_index.';
COMMENT ON COLUMN silences.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN silences.call_no IS 'Internal number of the call (calls.call_no); join by call_id.';
COMMENT ON COLUMN silences.silence_index IS 'Place of the silence in the call, from 0.';
COMMENT ON COLUMN silences.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN silences.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN silences.kind IS 'gap (short), dead_air (long) or hold (music or tones).';

-- load: what the analyses in `staged` have of it.
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
