INSERT INTO parties BY NAME
WITH heard AS (
    SELECT call_id, call_no, unnest(speech.parties) AS party FROM staged
),
cast_as AS (
    SELECT call_no, unnest(conversation.roles) AS r FROM staged
),
sounded AS (
    SELECT call_no, unnest(prosody.parties) AS p FROM staged
)
SELECT
    heard.call_id,
    heard.call_no,
    heard.party,
    r.name AS role,
    r.confidence AS role_confidence,
    r.source AS role_source,
    r.reason AS role_reason,
    p.pitch_median_hz,
    p.pitch_iqr_st,
    p.level_median_db,
    p.level_iqr_db,
    p.loudness_lufs,
    p.rate_median_words_per_s
FROM heard
LEFT JOIN cast_as ON cast_as.call_no = heard.call_no AND cast_as.r.party = heard.party
LEFT JOIN sounded ON sounded.call_no = heard.call_no AND sounded.p.party = heard.party;
