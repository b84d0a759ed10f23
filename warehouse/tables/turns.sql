CREATE TABLE facts.turns (
    call_no INTEGER NOT NULL,
    turn_index BIGINT NOT NULL,
    party VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    text VARCHAR NOT NULL,
    word_count BIGINT NOT NULL,
    speech_s DOUBLE NOT NULL,
    pitch_median_st DOUBLE,
    pitch_iqr_st DOUBLE,
    pitch_slope_st_per_s DOUBLE,
    level_db DOUBLE,
    level_rel_db DOUBLE,
    rate_words_per_s DOUBLE,
    pause_share DOUBLE,
    spectral_tilt_db_per_octave DOUBLE,
    voiced_share DOUBLE
);
COMMENT ON VIEW turns IS 'One row a turn: what one party says until another takes the floor. Key: call_id, turn_index.';
COMMENT ON COLUMN turns.turn_index IS 'Place of the turn in the call, from 0.';
COMMENT ON COLUMN turns.party IS 'Who speaks (parties.party).';
COMMENT ON COLUMN turns.role IS 'Role of that party: agent, customer, ivr, other or unknown.';
COMMENT ON COLUMN turns.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN turns.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN turns.text IS 'The words as recognised, with placeholders such as [card] for what was private.';
COMMENT ON COLUMN turns.word_count IS 'Words recognised; a span that gave way to a placeholder is one.';
COMMENT ON COLUMN turns.speech_s IS 'Voice activity inside the turn, seconds.';
COMMENT ON COLUMN turns.pitch_median_st IS 'Median pitch, semitones re the party''s own call median; NULL where pitch cannot be said.';
COMMENT ON COLUMN turns.pitch_iqr_st IS 'Interquartile range of pitch, semitones.';
COMMENT ON COLUMN turns.pitch_slope_st_per_s IS 'Slope of pitch over the turn, semitones per second.';
COMMENT ON COLUMN turns.level_db IS 'Level while speaking, dB re full scale.';
COMMENT ON COLUMN turns.level_rel_db IS 'Level, dB re the party''s own call median.';
COMMENT ON COLUMN turns.rate_words_per_s IS 'Words per second of speech.';
COMMENT ON COLUMN turns.pause_share IS 'Share of the turn in which its speaker pauses, 0..1.';
COMMENT ON COLUMN turns.spectral_tilt_db_per_octave IS 'Spectral tilt, dB per octave.';
COMMENT ON COLUMN turns.voiced_share IS 'Share of the speech that is voiced, 0..1.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.turns BY NAME
WITH said AS (
    SELECT call_no, unnest(conversation.turns) AS t FROM staged
),
sounded AS (
    SELECT call_no, unnest(prosody.turns) AS p FROM staged
)
SELECT
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
