CREATE VIEW call_summary AS
SELECT
    calls.call_id,
    calls.path,
    calls.status,
    calls.reason_code,
    calls.reason,
    calls.started_at,
    calls.agent_id,
    calls.team,
    calls.queue,
    calls.customer_id,
    calls.direction,
    calls.contact_reason,
    calls.is_simulated,
    calls.language,
    calls.duration_s,
    calls.word_count,
    calls.speaker_source,
    calls.speaker_confidence,
    calls.agents,
    calls.role_confidence,
    calls.no_ledger_reason,
    calls.analyzed_at,
    call_measures.* EXCLUDE (
        call_no, agent_turns, attentive, cognitive, affective, affective_followed,
        heated_answers
    )
FROM calls
LEFT JOIN facts.call_measures ON call_measures.call_no = calls.call_no;

COMMENT ON VIEW call_summary IS 'One row a recording, also of those that were not analyzed: who, when, how it was heard, and the headline measures. NULL means it cannot be said.';
COMMENT ON COLUMN call_summary.call_id IS 'The call''s name in every table: claimed_call_id, or that with ~ and a digest when another recording claims it too.';
COMMENT ON COLUMN call_summary.path IS 'Where the recording lay when it was analyzed.';
COMMENT ON COLUMN call_summary.reason IS 'Why the call was not analyzed, as a sentence; NULL when it was.';
COMMENT ON COLUMN call_summary.started_at IS 'When the call began, UTC; NULL when the metadata does not say.';
COMMENT ON COLUMN call_summary.agent_id IS 'Who took the call, from the metadata.';
COMMENT ON COLUMN call_summary.team IS 'The agent''s team, from the metadata.';
COMMENT ON COLUMN call_summary.customer_id IS 'Who called, from the metadata.';
COMMENT ON COLUMN call_summary.is_simulated IS 'True for calls made by warmline simulate.';
COMMENT ON COLUMN call_summary.word_count IS 'Words recognised, all parties.';
COMMENT ON COLUMN call_summary.role_confidence IS 'The lower of the confidences in who is agent and who is customer, 0..1; NULL unless both are known.';
COMMENT ON COLUMN call_summary.analyzed_at IS 'When the analysis was made, UTC.';
