-- Calls, who took part in them, and how they were analyzed.

CREATE TABLE calls (
    call_id VARCHAR PRIMARY KEY,
    claimed_call_id VARCHAR NOT NULL,
    call_id_note VARCHAR,
    path VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    reason_code VARCHAR,
    reason VARCHAR,
    started_at TIMESTAMP,
    duration_s DOUBLE,
    agent_id VARCHAR,
    team VARCHAR,
    queue VARCHAR,
    customer_id VARCHAR,
    direction VARCHAR,
    contact_reason VARCHAR,
    is_simulated BOOLEAN NOT NULL,
    metadata_source VARCHAR,
    extra MAP(VARCHAR, VARCHAR),
    language VARCHAR,
    language_probability DOUBLE,
    language_given VARCHAR,
    speaker_source VARCHAR,
    speaker_confidence DOUBLE,
    speaker_reason VARCHAR,
    agent_party VARCHAR,
    customer_party VARCHAR,
    role_confidence DOUBLE,
    channel_kind VARCHAR,
    channel_count BIGINT,
    channel_similarity DOUBLE,
    channel_reason VARCHAR,
    word_count BIGINT,
    dropped_words MAP(VARCHAR, BIGINT),
    no_ledger_reason VARCHAR,
    sample_rate_hz BIGINT,
    codec VARCHAR,
    size_bytes BIGINT,
    modified_at TIMESTAMP,
    audio_sha256 VARCHAR,
    analyzed_at TIMESTAMP NOT NULL,
    listening_s DOUBLE,
    warmline_version VARCHAR,
    landing_key VARCHAR NOT NULL,
    content_sha256 VARCHAR NOT NULL
);
COMMENT ON TABLE calls IS 'One row a recording, also of those that were refused or failed. Key: call_id.';
COMMENT ON COLUMN calls.call_id IS 'The call''s name in every table: claimed_call_id, or that with ~ and a digest when another recording claims it too.';
COMMENT ON COLUMN calls.claimed_call_id IS 'The call id that the metadata gives.';
COMMENT ON COLUMN calls.call_id_note IS 'Why call_id is not the claimed one; NULL when it is.';
COMMENT ON COLUMN calls.path IS 'Where the recording lay when it was analyzed.';
COMMENT ON COLUMN calls.status IS 'analyzed, no_speech, refused (bad input), failed (will be tried again) or duplicate (the bytes of another recording).';
COMMENT ON COLUMN calls.reason_code IS 'Stable word for why the call was not analyzed, for counting; NULL when it was.';
COMMENT ON COLUMN calls.reason IS 'Why the call was not analyzed, as a sentence; NULL when it was.';
COMMENT ON COLUMN calls.started_at IS 'When the call began, UTC; NULL when the metadata does not say.';
COMMENT ON COLUMN calls.duration_s IS 'Length of the recording, seconds.';
COMMENT ON COLUMN calls.agent_id IS 'Who took the call, from the metadata.';
COMMENT ON COLUMN calls.team IS 'The agent''s team, from the metadata.';
COMMENT ON COLUMN calls.queue IS 'The queue the call came through, from the metadata.';
COMMENT ON COLUMN calls.customer_id IS 'Who called, from the metadata.';
COMMENT ON COLUMN calls.direction IS 'inbound or outbound, from the metadata.';
COMMENT ON COLUMN calls.contact_reason IS 'What the call was about, from the metadata.';
COMMENT ON COLUMN calls.is_simulated IS 'True for calls made by warmline simulate.';
COMMENT ON COLUMN calls.metadata_source IS 'Where the metadata came from: sidecar, csv, file_name, joined by +, or none.';
COMMENT ON COLUMN calls.extra IS 'Every metadata field that has no column of its own.';
COMMENT ON COLUMN calls.language IS 'Language recognised, ISO code.';
COMMENT ON COLUMN calls.language_probability IS 'How sure the recogniser is of the language, 0..1.';
COMMENT ON COLUMN calls.language_given IS 'Language that the metadata gives.';
COMMENT ON COLUMN calls.speaker_source IS 'How the parties were told apart: channel, diarization or none.';
COMMENT ON COLUMN calls.speaker_confidence IS 'How sure the telling apart is, 0..1; 1 for two real channels.';
COMMENT ON COLUMN calls.speaker_reason IS 'What speaker_confidence rests on.';
COMMENT ON COLUMN calls.agent_party IS 'The party that is the agent; NULL when none or more than one is.';
COMMENT ON COLUMN calls.customer_party IS 'The party that is the customer; NULL when none or more than one is.';
COMMENT ON COLUMN calls.role_confidence IS 'The lower of the confidences in who is agent and who is customer, 0..1; NULL unless both are known.';
COMMENT ON COLUMN calls.channel_kind IS 'mono, stereo (channel is speaker) or fake_stereo (both voices on both channels).';
COMMENT ON COLUMN calls.channel_count IS 'Channels in the file.';
COMMENT ON COLUMN calls.channel_similarity IS 'How much the two channels'' levels agree, 0..1; NULL for one channel.';
COMMENT ON COLUMN calls.channel_reason IS 'Why channel_kind is what it is.';
COMMENT ON COLUMN calls.word_count IS 'Words recognised, all parties.';
COMMENT ON COLUMN calls.dropped_words IS 'Words that the recogniser gave and a guard refused, by guard.';
COMMENT ON COLUMN calls.no_ledger_reason IS 'Why there is no opportunity ledger; NULL when there is one, even an empty one.';
COMMENT ON COLUMN calls.sample_rate_hz IS 'Sample rate of the file, Hz.';
COMMENT ON COLUMN calls.codec IS 'How the sound is coded in the file.';
COMMENT ON COLUMN calls.size_bytes IS 'Size of the recording, bytes.';
COMMENT ON COLUMN calls.modified_at IS 'When the recording was last written, UTC.';
COMMENT ON COLUMN calls.audio_sha256 IS 'SHA-256 of the recording''s bytes; NULL when they could not be read.';
COMMENT ON COLUMN calls.analyzed_at IS 'When the analysis was made, UTC.';
COMMENT ON COLUMN calls.listening_s IS 'Computing time of all stages of the analysis, seconds.';
COMMENT ON COLUMN calls.warmline_version IS 'Version of warmline that made the analysis.';
COMMENT ON COLUMN calls.landing_key IS 'What the analysis is filed under in the landing folder.';
COMMENT ON COLUMN calls.content_sha256 IS 'Digest of the analysis as it landed; another one means it was made again.';

CREATE TABLE parties (
    call_id VARCHAR NOT NULL,
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
COMMENT ON TABLE parties IS 'One row a voice or channel of a call, with the reference that its turns'' prosody is relative to. Key: call_id, party.';
COMMENT ON COLUMN parties.call_id IS 'The call (calls.call_id).';
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

CREATE TABLE stage_keys (
    call_id VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    key VARCHAR NOT NULL,
    seconds DOUBLE NOT NULL
);
COMMENT ON TABLE stage_keys IS 'One row a stage of an analysis: the content address of its result. Key: call_id, stage.';
COMMENT ON COLUMN stage_keys.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN stage_keys.stage IS 'The stage: speech, words, turns, ...';
COMMENT ON COLUMN stage_keys.key IS 'Digest of everything the result depends on; equal keys, equal results.';
COMMENT ON COLUMN stage_keys.seconds IS 'Computing time when the result was made, seconds.';

CREATE TABLE models (
    call_id VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    version VARCHAR NOT NULL
);
COMMENT ON TABLE models IS 'One row a model that a call was analyzed with. Key: call_id, model.';
COMMENT ON COLUMN models.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN models.model IS 'What the model is for.';
COMMENT ON COLUMN models.version IS 'Which model it was.';
