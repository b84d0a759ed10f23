CREATE VIEW watched_calls AS
SELECT
    calls.call_id,
    calls.analyzed_at,
    coalesce(calls.started_at, calls.modified_at)::DATE AS day,
    calls.is_simulated,
    calls.status = 'analyzed' AS is_analyzed,
    (calls.status = 'failed')::DOUBLE AS failed,
    (calls.status = 'refused')::DOUBLE AS refused,
    (calls.status = 'no_speech')::DOUBLE AS no_speech,
    CASE WHEN is_analyzed THEN (calls.role_confidence IS NULL)::DOUBLE END AS without_roles,
    CASE WHEN is_analyzed THEN (calls.speaker_source IS DISTINCT FROM 'channel')::DOUBLE END
        AS told_apart_by_voice,
    calls.role_confidence,
    calls.speaker_confidence,
    calls.mean_word_probability,
    calls.word_count * 60 / nullif(calls.duration_s, 0) AS words_per_min,
    call_measures.dead_air_s / nullif(calls.duration_s, 0) AS dead_air_share,
    call_measures.agent_talk_share,
    call_measures.opportunities::DOUBLE AS cues,
    call_measures.answered_rate,
    CASE WHEN is_analyzed THEN calls.duration_s / 60 END AS minutes,
    CASE WHEN is_analyzed THEN calls.listening_s / nullif(calls.duration_s, 0) END
        AS computing_per_s
FROM calls
LEFT JOIN facts.call_measures ON call_measures.call_no = calls.call_no
WHERE calls.status <> 'duplicate';

COMMENT ON VIEW watched_calls IS 'One row a recording that is no copy: what a night''s report compares with the days before. Shares are means of columns that are 0 or 1.';
COMMENT ON COLUMN watched_calls.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN watched_calls.analyzed_at IS 'When the analysis was made, UTC.';
COMMENT ON COLUMN watched_calls.day IS 'Day on which the call began, UTC; of the file''s last change when the start is not known.';
COMMENT ON COLUMN watched_calls.is_simulated IS 'True for calls made by warmline simulate.';
COMMENT ON COLUMN watched_calls.is_analyzed IS 'Whether the call was analyzed.';
COMMENT ON COLUMN watched_calls.failed IS '1 when the call failed by a fault, else 0.';
COMMENT ON COLUMN watched_calls.refused IS '1 when the recording cannot be analyzed, else 0.';
COMMENT ON COLUMN watched_calls.no_speech IS '1 when no speech is in it, else 0.';
COMMENT ON COLUMN watched_calls.without_roles IS '1 when agent and customer are not both known, else 0; NULL unless analyzed.';
COMMENT ON COLUMN watched_calls.told_apart_by_voice IS '1 when the parties do not have a channel each, else 0; NULL unless analyzed.';
COMMENT ON COLUMN watched_calls.role_confidence IS 'The lower of the confidences in who is agent and who is customer, 0..1.';
COMMENT ON COLUMN watched_calls.speaker_confidence IS 'How sure the telling apart of the parties is, 0..1.';
COMMENT ON COLUMN watched_calls.mean_word_probability IS 'Mean of the recogniser''s own probabilities of the words, 0..1.';
COMMENT ON COLUMN watched_calls.words_per_min IS 'Words recognised per minute of the recording.';
COMMENT ON COLUMN watched_calls.dead_air_share IS 'Dead air over the length of the recording, 0..1.';
COMMENT ON COLUMN watched_calls.agent_talk_share IS 'The agent''s share of all speech, 0..1.';
COMMENT ON COLUMN watched_calls.cues IS 'Customer''s cues that asked for empathy.';
COMMENT ON COLUMN watched_calls.answered_rate IS 'Answered over answerable cues, 0..1; NULL when there was none.';
COMMENT ON COLUMN watched_calls.minutes IS 'Length of the recording, minutes; NULL unless analyzed.';
COMMENT ON COLUMN watched_calls.computing_per_s IS 'Computing time for each second of the recording; NULL unless analyzed.';
