CREATE VIEW call_summary AS
SELECT
    calls.call_id,
    calls.call_no,
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
    calls.role_confidence,
    calls.no_ledger_reason,
    calls.analyzed_at,
    call_measures.agent_talk_s,
    call_measures.customer_talk_s,
    call_measures.agent_talk_share,
    call_measures.customer_talk_share,
    call_measures.non_talk_s,
    call_measures.dead_air_s,
    call_measures.dead_air_count,
    call_measures.longest_dead_air_s,
    call_measures.hold_s,
    call_measures.overlap_s,
    call_measures.fto_median_s,
    call_measures.opening_story_s,
    call_measures.agent_interruptions,
    call_measures.customer_interruptions,
    call_measures.agent_competitive_interruptions,
    call_measures.customer_competitive_interruptions,
    call_measures.agent_latency_median_s,
    call_measures.agent_latency_p90_s,
    call_measures.customer_latency_median_s,
    call_measures.agent_longest_monologue_s,
    call_measures.customer_longest_monologue_s,
    call_measures.agent_backchannels,
    call_measures.heated_turns,
    call_measures.agent_steadiness_level_db,
    call_measures.agent_steadiness_rate_words_per_s,
    call_measures.agent_steadiness_pitch_st,
    call_measures.opportunities,
    call_measures.answerable,
    call_measures.answered,
    call_measures.answered_rate,
    call_measures.apologies,
    call_measures.late_apologies,
    call_measures.questions_open,
    call_measures.questions_closed,
    call_measures.ownership,
    call_measures.commitments,
    call_measures.dismissive,
    call_measures.offers,
    call_measures.misplaced_offers,
    call_measures.reasks,
    call_measures.premature_solutions,
    call_measures.friction_repeat,
    call_measures.friction_transfer,
    call_measures.friction_hold,
    call_measures.hostile,
    call_measures.silent_dissatisfaction,
    call_measures.resolution,
    call_measures.next_step,
    call_measures.expectation_set
FROM calls
LEFT JOIN call_measures ON call_measures.call_no = calls.call_no;

COMMENT ON VIEW call_summary IS 'One row a recording, also of those that were not analyzed: who, when, how it was heard, and the headline measures. NULL means it cannot be said.';
COMMENT ON COLUMN call_summary.call_id IS 'The call''s name in every table: claimed_call_id, or that with ~ and a digest when another recording claims it too.';
COMMENT ON COLUMN call_summary.call_no IS 'Internal number of the call (calls.call_no); join by call_id.';
COMMENT ON COLUMN call_summary.path IS 'Where the recording lay when it was analyzed.';
COMMENT ON COLUMN call_summary.status IS 'analyzed, no_speech, refused (bad input), failed (will be tried again) or duplicate (the bytes of another recording).';
COMMENT ON COLUMN call_summary.reason_code IS 'Stable word for why the call was not analyzed, for counting; NULL when it was.';
COMMENT ON COLUMN call_summary.reason IS 'Why the call was not analyzed, as a sentence; NULL when it was.';
COMMENT ON COLUMN call_summary.started_at IS 'When the call began, UTC; NULL when the metadata does not say.';
COMMENT ON COLUMN call_summary.agent_id IS 'Who took the call, from the metadata.';
COMMENT ON COLUMN call_summary.team IS 'The agent''s team, from the metadata.';
COMMENT ON COLUMN call_summary.queue IS 'The queue the call came through, from the metadata.';
COMMENT ON COLUMN call_summary.customer_id IS 'Who called, from the metadata.';
COMMENT ON COLUMN call_summary.direction IS 'inbound or outbound, from the metadata.';
COMMENT ON COLUMN call_summary.contact_reason IS 'What the call was about, from the metadata.';
COMMENT ON COLUMN call_summary.is_simulated IS 'True for calls made by warmline simulate.';
COMMENT ON COLUMN call_summary.language IS 'Language recognised, ISO code.';
COMMENT ON COLUMN call_summary.duration_s IS 'Length of the recording, seconds.';
COMMENT ON COLUMN call_summary.word_count IS 'Words recognised, all parties.';
COMMENT ON COLUMN call_summary.speaker_source IS 'How the parties were told apart: channel, diarization or none.';
COMMENT ON COLUMN call_summary.speaker_confidence IS 'How sure the telling apart is, 0..1; 1 for two real channels.';
COMMENT ON COLUMN call_summary.role_confidence IS 'The lower of the confidences in who is agent and who is customer, 0..1; NULL unless both are known.';
COMMENT ON COLUMN call_summary.no_ledger_reason IS 'Why there is no opportunity ledger; NULL when there is one, even an empty one.';
COMMENT ON COLUMN call_summary.analyzed_at IS 'When the analysis was made, UTC.';
COMMENT ON COLUMN call_summary.agent_talk_s IS 'Seconds of the agent''s speech (talk_s).';
COMMENT ON COLUMN call_summary.customer_talk_s IS 'Seconds of the customer''s speech (talk_s).';
COMMENT ON COLUMN call_summary.agent_talk_share IS 'The agent''s share of all speech, 0..1 (talk_share).';
COMMENT ON COLUMN call_summary.customer_talk_share IS 'The customer''s share of all speech, 0..1 (talk_share).';
COMMENT ON COLUMN call_summary.non_talk_s IS 'Seconds in which nobody speaks (non_talk_s).';
COMMENT ON COLUMN call_summary.dead_air_s IS 'Seconds of dead air: long silences without hold music (dead_air_s).';
COMMENT ON COLUMN call_summary.dead_air_count IS 'How many spans of dead air (dead_air_count).';
COMMENT ON COLUMN call_summary.longest_dead_air_s IS 'Longest span of dead air, seconds (longest_dead_air_s).';
COMMENT ON COLUMN call_summary.hold_s IS 'Seconds on hold (hold_s).';
COMMENT ON COLUMN call_summary.overlap_s IS 'Seconds in which both speak (overlap_s).';
COMMENT ON COLUMN call_summary.fto_median_s IS 'Median floor transfer offset, seconds; negative is overlap (fto_median_s).';
COMMENT ON COLUMN call_summary.opening_story_s IS 'The customer''s speech before the agent''s first competitive interruption, seconds (opening_story_s).';
COMMENT ON COLUMN call_summary.agent_interruptions IS 'Interruptions by the agent (interruptions).';
COMMENT ON COLUMN call_summary.customer_interruptions IS 'Interruptions by the customer (interruptions).';
COMMENT ON COLUMN call_summary.agent_competitive_interruptions IS 'Interruptions by the agent that do not help the customer along (competitive_interruptions).';
COMMENT ON COLUMN call_summary.customer_competitive_interruptions IS 'Interruptions by the customer that do not help the agent along (competitive_interruptions).';
COMMENT ON COLUMN call_summary.agent_latency_median_s IS 'Median time the agent takes to respond, seconds (response_latency_median_s).';
COMMENT ON COLUMN call_summary.agent_latency_p90_s IS 'Ninetieth percentile of the time the agent takes to respond, seconds (response_latency_p90_s).';
COMMENT ON COLUMN call_summary.customer_latency_median_s IS 'Median time the customer takes to respond, seconds (response_latency_median_s).';
COMMENT ON COLUMN call_summary.agent_longest_monologue_s IS 'The agent''s longest uninterrupted span, seconds (longest_monologue_s).';
COMMENT ON COLUMN call_summary.customer_longest_monologue_s IS 'The customer''s longest uninterrupted span, seconds (longest_monologue_s).';
COMMENT ON COLUMN call_summary.agent_backchannels IS 'Backchannels of the agent; a research column, more is not better (backchannels).';
COMMENT ON COLUMN call_summary.heated_turns IS 'Turns of the customer that are heated: loud, fast or hostile (heated_turns).';
COMMENT ON COLUMN call_summary.agent_steadiness_level_db IS 'Change of the agent''s level under heat, dB; small is steady (steadiness_level_db).';
COMMENT ON COLUMN call_summary.agent_steadiness_rate_words_per_s IS 'Change of the agent''s rate under heat, words per second (steadiness_rate_words_per_s).';
COMMENT ON COLUMN call_summary.agent_steadiness_pitch_st IS 'Change of the agent''s pitch under heat, semitones (steadiness_pitch_st).';
COMMENT ON COLUMN call_summary.opportunities IS 'Customer''s cues that asked for empathy (opportunities).';
COMMENT ON COLUMN call_summary.answerable IS 'Cues after which the agent spoke (denominator of answered_rate).';
COMMENT ON COLUMN call_summary.answered IS 'Cues that were answered (numerator of answered_rate).';
COMMENT ON COLUMN call_summary.answered_rate IS 'Answered over answerable cues, 0..1; NULL when there was none (answered_rate).';
COMMENT ON COLUMN call_summary.apologies IS 'Apologies of the agent (apologies).';
COMMENT ON COLUMN call_summary.late_apologies IS 'Apologies of the agent past the opening (late_apologies).';
COMMENT ON COLUMN call_summary.questions_open IS 'Open questions of the agent (questions_open).';
COMMENT ON COLUMN call_summary.questions_closed IS 'Closed questions of the agent (questions_closed).';
COMMENT ON COLUMN call_summary.ownership IS 'Statements of the agent that take ownership (ownership).';
COMMENT ON COLUMN call_summary.commitments IS 'Concrete commitments of the agent (commitments).';
COMMENT ON COLUMN call_summary.dismissive IS 'Statements of the agent that wave a concern away (dismissive).';
COMMENT ON COLUMN call_summary.offers IS 'Sales offers of the agent (offers).';
COMMENT ON COLUMN call_summary.misplaced_offers IS 'Sales offers soon after an unanswered cue, or in a feedback call (misplaced_offers).';
COMMENT ON COLUMN call_summary.reasks IS 'Information the agent asked for again (reasks).';
COMMENT ON COLUMN call_summary.premature_solutions IS 'Solutions of the agent before the problem was explored (premature_solutions).';
COMMENT ON COLUMN call_summary.friction_repeat IS 'Times the customer says it is again, or the third time (friction_repeat).';
COMMENT ON COLUMN call_summary.friction_transfer IS 'Transfers, told of by the customer or announced by an agent (friction_transfer).';
COMMENT ON COLUMN call_summary.friction_hold IS 'Waits, told of by the customer or heard as a hold (friction_hold).';
COMMENT ON COLUMN call_summary.hostile IS 'Hostile words of the customer (hostile).';
COMMENT ON COLUMN call_summary.silent_dissatisfaction IS '1 when a call went downhill, stayed unresolved and held no complaint (silent_dissatisfaction).';
COMMENT ON COLUMN call_summary.resolution IS '1 resolved, 0 not; NULL when nobody said (resolution).';
COMMENT ON COLUMN call_summary.next_step IS '1 when the agent said what happens next (next_step).';
COMMENT ON COLUMN call_summary.expectation_set IS '1 when the agent said by when (expectation_set).';
