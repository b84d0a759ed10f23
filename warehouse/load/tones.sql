INSERT INTO tones BY NAME
WITH listed AS (
    SELECT
        call_id,
        call_no,
        unnest(speech.tones) AS x,
        generate_subscripts(speech.tones, 1) - 1 AS tone_index
    FROM staged
)
SELECT
    call_id,
    call_no,
    tone_index,
    x.kind,
    x.start_s,
    x.end_s
FROM listed;
