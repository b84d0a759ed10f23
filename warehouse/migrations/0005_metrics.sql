-- The measures, each with its counts, its doubts and its evidence; and what each of them means.

CREATE TABLE metric_definitions (
    name VARCHAR NOT NULL,
    version BIGINT NOT NULL,
    level VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    definition VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    validated VARCHAR NOT NULL,
    is_current BOOLEAN NOT NULL,
    PRIMARY KEY (name, version)
);
COMMENT ON TABLE metric_definitions IS 'One row a version of a measure. Earlier versions stay as long as values of them do. Key: name, version.';
COMMENT ON COLUMN metric_definitions.name IS 'Name of the measure (metrics.name).';
COMMENT ON COLUMN metric_definitions.version IS 'Rises whenever the same call could get another value.';
COMMENT ON COLUMN metric_definitions.level IS 'party (one value a party) or call (one value a call).';
COMMENT ON COLUMN metric_definitions.unit IS 'Unit of the value: s, share, count, per_min, dB, ...';
COMMENT ON COLUMN metric_definitions.definition IS 'What is measured.';
COMMENT ON COLUMN metric_definitions.source IS 'Where the definition comes from.';
COMMENT ON COLUMN metric_definitions.validated IS 'Against what it was validated, or no.';
COMMENT ON COLUMN metric_definitions.is_current IS 'Whether calls analyzed today get this version.';

CREATE TABLE metrics (
    call_id VARCHAR NOT NULL,
    party VARCHAR,
    role VARCHAR,
    name VARCHAR NOT NULL,
    value DOUBLE,
    numerator DOUBLE,
    denominator DOUBLE,
    observations BIGINT,
    coverage DOUBLE NOT NULL,
    confidence DOUBLE NOT NULL,
    speaker_source VARCHAR,
    version BIGINT,
    reason VARCHAR,
    evidence STRUCT(start_s DOUBLE, end_s DOUBLE)[] NOT NULL
);
COMMENT ON TABLE metrics IS 'One row a measure of a call, or of one party in it. Key: call_id, party, name.';
COMMENT ON COLUMN metrics.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN metrics.party IS 'The party measured (parties.party); NULL for a measure of the whole call.';
COMMENT ON COLUMN metrics.role IS 'Role of that party; NULL for a measure of the whole call.';
COMMENT ON COLUMN metrics.name IS 'The measure (metric_definitions.name).';
COMMENT ON COLUMN metrics.value IS 'The value in the definition''s unit; NULL means it cannot be said, which is not zero.';
COMMENT ON COLUMN metrics.numerator IS 'Of a rate: its numerator. Of a count: the count.';
COMMENT ON COLUMN metrics.denominator IS 'Of a rate: its denominator, such as the number of opportunities.';
COMMENT ON COLUMN metrics.observations IS 'How many observations the value rests on.';
COMMENT ON COLUMN metrics.coverage IS 'Share of what should be looked at that could be, 0..1.';
COMMENT ON COLUMN metrics.confidence IS 'How sure the value is, 0..1.';
COMMENT ON COLUMN metrics.speaker_source IS 'How the parties were told apart: channel, diarization or none.';
COMMENT ON COLUMN metrics.version IS 'Version of the definition it was measured by (metric_definitions.version).';
COMMENT ON COLUMN metrics.reason IS 'Why there is no value; NULL when there is one.';
COMMENT ON COLUMN metrics.evidence IS 'Where in the call it was found, as stretches of the call''s clock; the view metric_evidence has a row each.';

CREATE TABLE call_measures (
    call_id VARCHAR PRIMARY KEY,
    agent_talk_s DOUBLE,
    customer_talk_s DOUBLE,
    agent_talk_share DOUBLE,
    customer_talk_share DOUBLE,
    non_talk_s DOUBLE,
    dead_air_s DOUBLE,
    dead_air_count DOUBLE,
    longest_dead_air_s DOUBLE,
    hold_s DOUBLE,
    overlap_s DOUBLE,
    fto_median_s DOUBLE,
    opening_story_s DOUBLE,
    agent_interruptions DOUBLE,
    customer_interruptions DOUBLE,
    agent_competitive_interruptions DOUBLE,
    customer_competitive_interruptions DOUBLE,
    agent_latency_median_s DOUBLE,
    agent_latency_p90_s DOUBLE,
    customer_latency_median_s DOUBLE,
    agent_longest_monologue_s DOUBLE,
    customer_longest_monologue_s DOUBLE,
    agent_backchannels DOUBLE,
    heated_turns DOUBLE,
    agent_steadiness_level_db DOUBLE,
    agent_steadiness_rate_words_per_s DOUBLE,
    agent_steadiness_pitch_st DOUBLE,
    opportunities DOUBLE,
    answerable DOUBLE,
    answered DOUBLE,
    answered_rate DOUBLE,
    apologies DOUBLE,
    late_apologies DOUBLE,
    questions_open DOUBLE,
    questions_closed DOUBLE,
    ownership DOUBLE,
    commitments DOUBLE,
    dismissive DOUBLE,
    offers DOUBLE,
    misplaced_offers DOUBLE,
    reasks DOUBLE,
    premature_solutions DOUBLE,
    friction_repeat DOUBLE,
    friction_transfer DOUBLE,
    friction_hold DOUBLE,
    hostile DOUBLE,
    silent_dissatisfaction DOUBLE,
    resolution DOUBLE,
    next_step DOUBLE,
    expectation_set DOUBLE
);
COMMENT ON TABLE call_measures IS 'One row an analyzed call: the headline values of metrics side by side, so that summaries of a million calls answer at once. NULL means it cannot be said; metrics.reason says why. Key: call_id.';
COMMENT ON COLUMN call_measures.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN call_measures.agent_talk_s IS 'Seconds of the agent''s speech (talk_s).';
COMMENT ON COLUMN call_measures.customer_talk_s IS 'Seconds of the customer''s speech (talk_s).';
COMMENT ON COLUMN call_measures.agent_talk_share IS 'The agent''s share of all speech, 0..1 (talk_share).';
COMMENT ON COLUMN call_measures.customer_talk_share IS 'The customer''s share of all speech, 0..1 (talk_share).';
COMMENT ON COLUMN call_measures.non_talk_s IS 'Seconds in which nobody speaks (non_talk_s).';
COMMENT ON COLUMN call_measures.dead_air_s IS 'Seconds of dead air: long silences without hold music (dead_air_s).';
COMMENT ON COLUMN call_measures.dead_air_count IS 'How many stretches of dead air (dead_air_count).';
COMMENT ON COLUMN call_measures.longest_dead_air_s IS 'Longest stretch of dead air, seconds (longest_dead_air_s).';
COMMENT ON COLUMN call_measures.hold_s IS 'Seconds on hold (hold_s).';
COMMENT ON COLUMN call_measures.overlap_s IS 'Seconds in which both speak (overlap_s).';
COMMENT ON COLUMN call_measures.fto_median_s IS 'Median floor transfer offset, seconds; negative is overlap (fto_median_s).';
COMMENT ON COLUMN call_measures.opening_story_s IS 'The customer''s speech before the agent''s first competitive interruption, seconds (opening_story_s).';
COMMENT ON COLUMN call_measures.agent_interruptions IS 'Interruptions by the agent (interruptions).';
COMMENT ON COLUMN call_measures.customer_interruptions IS 'Interruptions by the customer (interruptions).';
COMMENT ON COLUMN call_measures.agent_competitive_interruptions IS 'Interruptions by the agent that do not help the customer along (competitive_interruptions).';
COMMENT ON COLUMN call_measures.customer_competitive_interruptions IS 'Interruptions by the customer that do not help the agent along (competitive_interruptions).';
COMMENT ON COLUMN call_measures.agent_latency_median_s IS 'Median time the agent takes to respond, seconds (response_latency_median_s).';
COMMENT ON COLUMN call_measures.agent_latency_p90_s IS 'Ninetieth percentile of the time the agent takes to respond, seconds (response_latency_p90_s).';
COMMENT ON COLUMN call_measures.customer_latency_median_s IS 'Median time the customer takes to respond, seconds (response_latency_median_s).';
COMMENT ON COLUMN call_measures.agent_longest_monologue_s IS 'The agent''s longest uninterrupted stretch, seconds (longest_monologue_s).';
COMMENT ON COLUMN call_measures.customer_longest_monologue_s IS 'The customer''s longest uninterrupted stretch, seconds (longest_monologue_s).';
COMMENT ON COLUMN call_measures.agent_backchannels IS 'Backchannels of the agent; a research column, more is not better (backchannels).';
COMMENT ON COLUMN call_measures.heated_turns IS 'Turns of the customer that are heated: loud, fast or hostile (heated_turns).';
COMMENT ON COLUMN call_measures.agent_steadiness_level_db IS 'Change of the agent''s level under heat, dB; small is steady (steadiness_level_db).';
COMMENT ON COLUMN call_measures.agent_steadiness_rate_words_per_s IS 'Change of the agent''s rate under heat, words per second (steadiness_rate_words_per_s).';
COMMENT ON COLUMN call_measures.agent_steadiness_pitch_st IS 'Change of the agent''s pitch under heat, semitones (steadiness_pitch_st).';
COMMENT ON COLUMN call_measures.opportunities IS 'Customer''s cues that asked for empathy (opportunities).';
COMMENT ON COLUMN call_measures.answerable IS 'Cues after which the agent spoke (denominator of answered_rate).';
COMMENT ON COLUMN call_measures.answered IS 'Cues that were answered (numerator of answered_rate).';
COMMENT ON COLUMN call_measures.answered_rate IS 'Answered over answerable cues, 0..1; NULL when there was none (answered_rate).';
COMMENT ON COLUMN call_measures.apologies IS 'Apologies of the agent (apologies).';
COMMENT ON COLUMN call_measures.late_apologies IS 'Apologies of the agent past the opening (late_apologies).';
COMMENT ON COLUMN call_measures.questions_open IS 'Open questions of the agent (questions_open).';
COMMENT ON COLUMN call_measures.questions_closed IS 'Closed questions of the agent (questions_closed).';
COMMENT ON COLUMN call_measures.ownership IS 'Statements of the agent that take ownership (ownership).';
COMMENT ON COLUMN call_measures.commitments IS 'Concrete commitments of the agent (commitments).';
COMMENT ON COLUMN call_measures.dismissive IS 'Statements of the agent that wave a concern away (dismissive).';
COMMENT ON COLUMN call_measures.offers IS 'Sales offers of the agent (offers).';
COMMENT ON COLUMN call_measures.misplaced_offers IS 'Sales offers soon after an unanswered cue, or in a feedback call (misplaced_offers).';
COMMENT ON COLUMN call_measures.reasks IS 'Information the agent asked for again (reasks).';
COMMENT ON COLUMN call_measures.premature_solutions IS 'Solutions of the agent before the problem was explored (premature_solutions).';
COMMENT ON COLUMN call_measures.friction_repeat IS 'Times the customer says it is again, or the third time (friction_repeat).';
COMMENT ON COLUMN call_measures.friction_transfer IS 'Transfers, told of by the customer or announced by an agent (friction_transfer).';
COMMENT ON COLUMN call_measures.friction_hold IS 'Waits, told of by the customer or heard as a hold (friction_hold).';
COMMENT ON COLUMN call_measures.hostile IS 'Hostile words of the customer (hostile).';
COMMENT ON COLUMN call_measures.silent_dissatisfaction IS '1 when a call went downhill, stayed unresolved and held no complaint (silent_dissatisfaction).';
COMMENT ON COLUMN call_measures.resolution IS '1 resolved, 0 not; NULL when nobody said (resolution).';
COMMENT ON COLUMN call_measures.next_step IS '1 when the agent said what happens next (next_step).';
COMMENT ON COLUMN call_measures.expectation_set IS '1 when the agent said by when (expectation_set).';
