CREATE TABLE facts.parties (
    call_no INTEGER NOT NULL,
    party VARCHAR NOT NULL,
    role VARCHAR,
    role_confidence DOUBLE,
    role_source VARCHAR,
    role_reason VARCHAR,
    pitch_median_hz DOUBLE,
    pitch_iqr_st DOUBLE,
    level_median_db DOUBLE,
    level_iqr_db DOUBLE,
    loudness_lufs DOUBLE,
    rate_median_words_per_s DOUBLE
);
COMMENT ON VIEW parties IS 'One row a voice or channel of a call, with the reference that its turns'' prosody is relative to. Key: call_id, party.';
COMMENT ON COLUMN parties.party IS 'A, B, ...: in channel order, or in order of first speech.';
COMMENT ON COLUMN parties.role IS 'agent, customer, ivr, other or unknown; never a guess.';
COMMENT ON COLUMN parties.role_confidence IS 'How sure the role is, 0..1.';
COMMENT ON COLUMN parties.role_source IS 'What gave the role: metadata, or the words.';
COMMENT ON COLUMN parties.role_reason IS 'Why the party has this role.';
COMMENT ON COLUMN parties.pitch_median_hz IS 'Median pitch over the call, Hz.';
COMMENT ON COLUMN parties.pitch_iqr_st IS 'Interquartile range of pitch over the call, semitones.';
COMMENT ON COLUMN parties.level_median_db IS 'Median level while speaking, dB re full scale.';
COMMENT ON COLUMN parties.level_iqr_db IS 'Interquartile range of level, dB.';
COMMENT ON COLUMN parties.loudness_lufs IS 'Loudness of the party''s speech, LUFS.';
COMMENT ON COLUMN parties.rate_median_words_per_s IS 'Median speech rate of the turns, words per second of speech.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.parties BY NAME
WITH heard AS (
    SELECT call_no, unnest(speech.parties) AS party FROM staged
),
cast_as AS (
    SELECT call_no, unnest(conversation.roles) AS r FROM staged
),
sounded AS (
    SELECT call_no, unnest(prosody.parties) AS p FROM staged
)
SELECT
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
