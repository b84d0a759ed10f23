CREATE VIEW night_report AS
SELECT
    calls.analyzed_at::DATE AS night,
    count(*) AS calls,
    count_if(calls.status = 'analyzed') AS analyzed,
    count_if(calls.status = 'no_speech') AS no_speech,
    count_if(calls.status = 'refused') AS refused,
    count_if(calls.status = 'failed') AS failed,
    count_if(calls.status = 'duplicate') AS duplicates,
    sum(calls.duration_s) / 3600 AS audio_h,
    sum(calls.listening_s) / 3600 AS computing_h,
    sum(calls.duration_s) / nullif(sum(calls.listening_s), 0) AS times_real_time,
    count_if(calls.speaker_source = 'channel') / nullif(analyzed, 0) AS stereo_share,
    count_if(calls.status = 'analyzed' AND calls.role_confidence IS NULL) / nullif(analyzed, 0)
        AS without_roles_share,
    count_if(calls.status = 'analyzed' AND calls.no_ledger_reason IS NOT NULL)
        / nullif(analyzed, 0) AS without_ledger_share,
    sum(list_sum(map_values(calls.dropped_words))) AS dropped_words,
    sum(calls.word_count) AS words,
    sum(call_measures.opportunities) AS opportunities,
    sum(call_measures.answered) / nullif(sum(call_measures.answerable), 0) AS answered_rate
FROM calls
LEFT JOIN facts.call_measures ON call_measures.call_no = calls.call_no
GROUP BY calls.analyzed_at::DATE;

COMMENT ON VIEW night_report IS 'One row a day (UTC) on which calls were analyzed: how much, how fast, and what could not be said.';
COMMENT ON COLUMN night_report.night IS 'The day, UTC.';
COMMENT ON COLUMN night_report.calls IS 'Recordings that were looked at.';
COMMENT ON COLUMN night_report.analyzed IS 'Calls analyzed.';
COMMENT ON COLUMN night_report.no_speech IS 'Recordings without speech.';
COMMENT ON COLUMN night_report.refused IS 'Recordings that cannot be analyzed.';
COMMENT ON COLUMN night_report.failed IS 'Recordings that failed and will be tried again.';
COMMENT ON COLUMN night_report.duplicates IS 'Recordings with the bytes of another.';
COMMENT ON COLUMN night_report.audio_h IS 'Length of the recordings, hours.';
COMMENT ON COLUMN night_report.computing_h IS 'Computing time, hours.';
COMMENT ON COLUMN night_report.times_real_time IS 'Length over computing time.';
COMMENT ON COLUMN night_report.stereo_share IS 'Share of the analyzed calls in which a channel is a speaker.';
COMMENT ON COLUMN night_report.without_roles_share IS 'Share of the analyzed calls in which agent and customer are not both known.';
COMMENT ON COLUMN night_report.without_ledger_share IS 'Share of the analyzed calls without an opportunity ledger.';
COMMENT ON COLUMN night_report.dropped_words IS 'Words that were recognised and refused by a guard.';
COMMENT ON COLUMN night_report.words IS 'Words recognised and kept.';
COMMENT ON COLUMN night_report.opportunities IS 'Cues that asked for empathy.';
COMMENT ON COLUMN night_report.answered_rate IS 'Answered over answerable cues.';
