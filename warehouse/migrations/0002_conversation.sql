-- What was said, by whom and when, and how it sounded.

CREATE TABLE turns (
    call_id VARCHAR NOT NULL,
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
COMMENT ON TABLE turns IS 'One row a turn: what one party says until another takes the floor. Key: call_id, turn_index.';
COMMENT ON COLUMN turns.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN turns.turn_index IS 'Place of the turn in the call, from 0.';
COMMENT ON COLUMN turns.party IS 'Who speaks (parties.party).';
COMMENT ON COLUMN turns.role IS 'Role of that party: agent, customer, ivr, other or unknown.';
COMMENT ON COLUMN turns.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN turns.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN turns.text IS 'The words as recognised.';
COMMENT ON COLUMN turns.word_count IS 'Words recognised.';
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

CREATE TABLE words (
    call_id VARCHAR NOT NULL,
    word_index BIGINT NOT NULL,
    turn_index BIGINT,
    party VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    text VARCHAR NOT NULL,
    probability DOUBLE NOT NULL
);
COMMENT ON TABLE words IS 'One row a recognised word. Key: call_id, word_index.';
COMMENT ON COLUMN words.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN words.word_index IS 'Place of the word in the call, from 0.';
COMMENT ON COLUMN words.turn_index IS 'The turn of the same party in which the middle of the word lies (turns.turn_index); NULL outside all turns, as in a backchannel.';
COMMENT ON COLUMN words.party IS 'Who says it (parties.party).';
COMMENT ON COLUMN words.start_s IS 'Start on the call''s clock, seconds, to the millisecond.';
COMMENT ON COLUMN words.end_s IS 'End on the call''s clock, seconds, to the millisecond.';
COMMENT ON COLUMN words.text IS 'The word as recognised.';
COMMENT ON COLUMN words.probability IS 'The recogniser''s own confidence, 0..1.';

CREATE TABLE utterances (
    call_id VARCHAR NOT NULL,
    utterance_index BIGINT NOT NULL,
    party VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    avg_logprob DOUBLE NOT NULL,
    no_speech_prob DOUBLE NOT NULL,
    compression_ratio DOUBLE NOT NULL
);
COMMENT ON TABLE utterances IS 'One row a stretch that the recogniser read in one go, with its own doubts; its words are in words. Key: call_id, utterance_index.';
COMMENT ON COLUMN utterances.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN utterances.utterance_index IS 'Place of the utterance in the call, from 0.';
COMMENT ON COLUMN utterances.party IS 'Who speaks (parties.party).';
COMMENT ON COLUMN utterances.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN utterances.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN utterances.avg_logprob IS 'Mean log-probability of the tokens; nearer 0 is surer.';
COMMENT ON COLUMN utterances.no_speech_prob IS 'The recogniser''s own probability that nobody speaks, 0..1.';
COMMENT ON COLUMN utterances.compression_ratio IS 'Length of the text over its compressed length; high for text that repeats itself.';

CREATE TABLE speech_segments (
    call_id VARCHAR NOT NULL,
    segment_index BIGINT NOT NULL,
    party VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL
);
COMMENT ON TABLE speech_segments IS 'One row a stretch of a party''s voice activity; those of different parties may overlap. Key: call_id, segment_index.';
COMMENT ON COLUMN speech_segments.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN speech_segments.segment_index IS 'Place of the segment in the call, from 0.';
COMMENT ON COLUMN speech_segments.party IS 'Who speaks (parties.party).';
COMMENT ON COLUMN speech_segments.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN speech_segments.end_s IS 'End on the call''s clock, seconds.';

CREATE TABLE tones (
    call_id VARCHAR NOT NULL,
    tone_index BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL
);
COMMENT ON TABLE tones IS 'One row a stretch of sound that is neither speech nor silence. Key: call_id, tone_index.';
COMMENT ON COLUMN tones.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN tones.tone_index IS 'Place of the tone in the call, from 0.';
COMMENT ON COLUMN tones.kind IS 'What it is: music, tone, ...';
COMMENT ON COLUMN tones.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN tones.end_s IS 'End on the call''s clock, seconds.';
