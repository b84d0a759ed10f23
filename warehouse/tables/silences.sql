CREATE TABLE facts.silences (
    call_no INTEGER NOT NULL,
    silence_index BIGINT NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    kind VARCHAR NOT NULL
);
COMMENT ON VIEW silences IS 'One row per segment in which no party speaks. Key: call_id, silence_index.';
COMMENT ON COLUMN silences.silence_index IS 'Place of the silence in the call, from 0.';
COMMENT ON COLUMN silences.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN silences.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN silences.kind IS 'gap (short), dead_air (long) or hold (music or tones).';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.silences BY NAME
WITH listed AS (
    SELECT
        call_no,
        unnest(floor.silences) AS x,
        generate_subscripts(floor.silences, 1) - 1 AS silence_index
    FROM staged
)
SELECT
    call_no,
    silence_index,
    x.start_s,
    x.end_s,
    x.kind
FROM listed;
