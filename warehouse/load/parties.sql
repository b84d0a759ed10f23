INSERT INTO parties BY NAME
WITH heard AS (
    SELECT call_id, unnest(speech.parties) AS party FROM staged
),
cast_as AS (
    SELECT call_id, unnest(conversation.roles) AS r FROM staged
),
sounded AS (
    SELECT call_id, unnest(prosody.parties) AS p FROM staged
)
SELECT
    heard.call_id,
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
LEFT JOIN cast_as ON cast_as.call_id = heard.call_id AND cast_as.r.party = heard.party
LEFT JOIN sounded ON sounded.call_id = heard.call_id AND sounded.p.party = heard.party;
