INSERT INTO tones BY NAME
WITH listed AS (
    SELECT
        call_id,
        unnest(speech.tones) AS x,
        generate_subscripts(speech.tones, 1) - 1 AS tone_index
    FROM staged
)
SELECT
    call_id,
    tone_index,
    x.kind,
    x.start_s,
    x.end_s
FROM listed
ORDER BY call_id, tone_index;
