CREATE TABLE facts.tones (
    call_no INTEGER NOT NULL,
    tone_index BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL
);
COMMENT ON VIEW tones IS 'One row per segment of sound that is neither speech nor silence. Key: call_id, tone_index.';
COMMENT ON COLUMN tones.tone_index IS 'Place of the tone in the call, from 0.';
COMMENT ON COLUMN tones.kind IS 'What it is: music, tone, ...';
COMMENT ON COLUMN tones.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN tones.end_s IS 'End on the call''s clock, seconds.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.tones BY NAME
WITH listed AS (
    SELECT
        call_no,
        unnest(speech.tones) AS x,
        generate_subscripts(speech.tones, 1) - 1 AS tone_index
    FROM staged
)
SELECT
    call_no,
    tone_index,
    x.kind,
    x.start_s,
    x.end_s
FROM listed;
