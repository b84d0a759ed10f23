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
