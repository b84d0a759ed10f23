CREATE TABLE facts.speech_segments (
    call_no INTEGER NOT NULL,
    segment_index BIGINT NOT NULL,
    party VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL
);
COMMENT ON VIEW speech_segments IS 'One row per segment of a party''s voice activity; those of different parties may overlap. Key: call_id, segment_index.';
COMMENT ON COLUMN speech_segments.segment_index IS 'Place of the segment in the call, from 0.';
COMMENT ON COLUMN speech_segments.party IS 'Who speaks (parties.party).';
COMMENT ON COLUMN speech_segments.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN speech_segments.end_s IS 'End on the call''s clock, seconds.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.speech_segments BY NAME
WITH listed AS (
    SELECT
        call_no,
        unnest(speech.segments) AS x,
        generate_subscripts(speech.segments, 1) - 1 AS segment_index
    FROM staged
)
SELECT
    call_no,
    segment_index,
    x.party,
    x.start_s,
    x.end_s
FROM listed;
