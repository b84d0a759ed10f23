INSERT INTO turns BY NAME
WITH said AS (
    SELECT call_id, call_no, unnest(conversation.turns) AS t FROM staged
),
sounded AS (
    SELECT call_no, unnest(prosody.turns) AS p FROM staged
)
SELECT
    said.call_id,
    said.call_no,
    t.index AS turn_index,
    t.party,
    t.role,
    t.start_s,
    t.end_s,
    t.text,
    t.word_count,
    t.speech_s,
    p.pitch_median_st,
    p.pitch_iqr_st,
    p.pitch_slope_st_per_s,
    p.level_db,
    p.level_rel_db,
    p.rate_words_per_s,
    p.pause_share,
    p.spectral_tilt_db_per_octave,
    p.voiced_share
FROM said
LEFT JOIN sounded ON sounded.call_no = said.call_no AND sounded.p.turn_index = said.t.index
ORDER BY said.call_no, turn_index;
