-- What a call consists of lies in the schema `facts`, by call_no. For each table there, a view of its name
-- has call_id in the place of that number, and is what to ask.

CREATE SCHEMA facts;

CREATE TABLE calls (
    call_id VARCHAR PRIMARY KEY,
    call_no INTEGER NOT NULL,
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
    agents BIGINT,
    agent_party VARCHAR,
    customer_party VARCHAR,
    role_confidence DOUBLE,
    channel_kind VARCHAR,
    channel_count BIGINT,
    channel_similarity DOUBLE,
    channel_reason VARCHAR,
    word_count BIGINT,
    mean_word_probability DOUBLE,
    doubtful_words BIGINT,
    words_erased_at TIMESTAMP,
    dropped_words MAP(VARCHAR, BIGINT),
    redactions BIGINT,
    no_ledger_reason VARCHAR,
    sample_rate_hz BIGINT,
    codec VARCHAR,
    size_bytes BIGINT,
    modified_at TIMESTAMP,
    audio_sha256 VARCHAR,
    analyzed_at TIMESTAMP NOT NULL,
    listening_s DOUBLE,
    warmline_version VARCHAR,
    failed_runs BIGINT,
    landing_key VARCHAR NOT NULL,
    content_sha256 VARCHAR NOT NULL
);
COMMENT ON TABLE calls IS 'One row a recording, also of those that were refused or failed. Key: call_id.';
COMMENT ON COLUMN calls.call_id IS 'The call''s name in every table: claimed_call_id, or that with ~ and a digest when another recording claims it too.';
COMMENT ON COLUMN calls.call_no IS 'Where the rows of the call lie: the key of the tables in the schema facts. Older calls have lower ones; one that is analyzed again gets another, so keep call_id elsewhere.';
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
COMMENT ON COLUMN calls.agents IS 'How many agents speak: parties, and those who greet on the channel of one who has passed the call on. agent_id names one of them, and does not say which: where there are more than one, no cue and no answer is counted as that agent''s. NULL when not analyzed.';
COMMENT ON COLUMN calls.agent_party IS 'The party that is the agent; NULL when none or more than one is, or several agents speak as one party.';
COMMENT ON COLUMN calls.customer_party IS 'The party that is the customer; NULL when none or more than one is.';
COMMENT ON COLUMN calls.role_confidence IS 'The lower of the confidences in who is agent and who is customer, 0..1; NULL unless both are known.';
COMMENT ON COLUMN calls.channel_kind IS 'mono, stereo (channel is speaker) or fake_stereo (both voices on both channels).';
COMMENT ON COLUMN calls.channel_count IS 'Channels in the file.';
COMMENT ON COLUMN calls.channel_similarity IS 'How much the two channels'' levels agree, 0..1; NULL for one channel.';
COMMENT ON COLUMN calls.channel_reason IS 'Why channel_kind is what it is.';
COMMENT ON COLUMN calls.word_count IS 'Words recognised, all parties; a span that gave way to a placeholder is one.';
COMMENT ON COLUMN calls.mean_word_probability IS 'Mean of the recogniser''s own probabilities of the words, 0..1 (words.probability); NULL without words.';
COMMENT ON COLUMN calls.doubtful_words IS 'Words of a probability under 0.5.';
COMMENT ON COLUMN calls.words_erased_at IS 'When its words and quotations were erased because they were old (retention.words_days), UTC; turns and cues then have no text, and counts of words are NULL. NULL while words are kept.';
COMMENT ON COLUMN calls.dropped_words IS 'Words that the recogniser gave and a guard refused, by guard.';
COMMENT ON COLUMN calls.redactions IS 'Spans of words that gave way to a placeholder (table redactions); NULL when nothing was looked for, because redaction was off or the call was analyzed before there was any.';
COMMENT ON COLUMN calls.no_ledger_reason IS 'Why there is no opportunity ledger; NULL when there is one, even an empty one.';
COMMENT ON COLUMN calls.sample_rate_hz IS 'Sample rate of the file, Hz.';
COMMENT ON COLUMN calls.codec IS 'How the sound is coded in the file.';
COMMENT ON COLUMN calls.size_bytes IS 'Size of the recording, bytes.';
COMMENT ON COLUMN calls.modified_at IS 'When the recording was last written, UTC.';
COMMENT ON COLUMN calls.audio_sha256 IS 'SHA-256 of the recording''s bytes; NULL when they could not be read.';
COMMENT ON COLUMN calls.analyzed_at IS 'When the analysis was made, UTC.';
COMMENT ON COLUMN calls.listening_s IS 'Computing time of all stages of the analysis, seconds.';
COMMENT ON COLUMN calls.warmline_version IS 'Version of warmline that made the analysis.';
COMMENT ON COLUMN calls.failed_runs IS 'Runs in a row that ended with this call failed; 0 when it did not, or was put back by warmline retry.';
COMMENT ON COLUMN calls.landing_key IS 'What the analysis is filed under in the landing folder.';
COMMENT ON COLUMN calls.content_sha256 IS 'Digest of the analysis as it landed; another one means it was made again.';

-- load: what the analyses in `staged` have of it.
INSERT INTO calls BY NAME
SELECT
    call_id,
    call_no,
    metadata.call_id AS claimed_call_id,
    call_id_note,
    recording.path,
    status,
    reason_code,
    reason,
    metadata.started_at AT TIME ZONE 'UTC' AS started_at,
    duration_s,
    metadata.agent_id,
    metadata.team,
    metadata.queue,
    metadata.customer_id,
    metadata.direction,
    metadata.reason AS contact_reason,
    metadata.is_simulated,
    metadata.source AS metadata_source,
    metadata.extra,
    transcript.language,
    transcript.language_probability,
    metadata.language AS language_given,
    speech.source AS speaker_source,
    speech.confidence AS speaker_confidence,
    speech.reason AS speaker_reason,
    agent_count AS agents,
    CASE WHEN agent_count = 1 THEN agents[1].party END AS agent_party,
    CASE WHEN len(customers) = 1 THEN customers[1].party END AS customer_party,
    CASE WHEN len(agents) > 0 AND len(customers) > 0
        THEN list_min(list_transform(list_concat(agents, customers), lambda r: r.confidence))
    END AS role_confidence,
    layout.kind AS channel_kind,
    layout.channel_count,
    layout.similarity AS channel_similarity,
    layout.reason AS channel_reason,
    CASE WHEN words_erased_at IS NULL THEN len(transcript.words) END AS word_count,
    list_avg(list_transform(transcript.words, lambda w: w.probability)) AS mean_word_probability,
    CASE WHEN words_erased_at IS NULL
        THEN len(list_filter(transcript.words, lambda w: w.probability < 0.5))
    END AS doubtful_words,
    words_erased_at AT TIME ZONE 'UTC' AS words_erased_at,
    transcript.dropped AS dropped_words,
    len(redactions) AS redactions,
    empathy.no_ledger_reason,
    sample_rate_hz,
    codec,
    recording.size_bytes,
    recording.modified_at AT TIME ZONE 'UTC' AS modified_at,
    nullif(recording.audio_sha256, '') AS audio_sha256,
    analyzed_at AT TIME ZONE 'UTC' AS analyzed_at,
    list_sum(list_transform(stage_keys, lambda s: s.seconds)) AS listening_s,
    warmline_version,
    coalesce(failed_runs, (status = 'failed')::BIGINT) AS failed_runs,
    landing_key,
    content_sha256
FROM staged
ORDER BY call_no;
