INSERT INTO speech_segments BY NAME
WITH listed AS (
    SELECT
        call_id,
        unnest(speech.segments) AS x,
        generate_subscripts(speech.segments, 1) - 1 AS segment_index
    FROM staged
)
SELECT
    call_id,
    segment_index,
    x.party,
    x.start_s,
    x.end_s
FROM listed
ORDER BY call_id, segment_index;
