CREATE TABLE speech_segments (
    call_id VARCHAR NOT NULL,
    call_no INTEGER,
    segment_index BIGINT NOT NULL,
    party VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL
);
COMMENT ON TABLE speech_segments IS 'One row per segment of a party''s voice activity; those of different parties may overlap. Key: call_id, segment_index.';
COMMENT ON COLUMN speech_segments.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN speech_segments.call_no IS 'Internal number of the call (calls.call_no); join by call_id.';
COMMENT ON COLUMN speech_segments.segment_index IS 'Place of the segment in the call, from 0.';
COMMENT ON COLUMN speech_segments.party IS 'Who speaks (parties.party).';
COMMENT ON COLUMN speech_segments.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN speech_segments.end_s IS 'End on the call''s clock, seconds.';

-- load: what the analyses in `staged` have of it.
INSERT INTO speech_segments BY NAME
WITH listed AS (
    SELECT
        call_id,
        call_no,
        unnest(speech.segments) AS x,
        generate_subscripts(speech.segments, 1) - 1 AS segment_index
    FROM staged
)
SELECT
    call_id,
    call_no,
    segment_index,
    x.party,
    x.start_s,
    x.end_s
FROM listed;
