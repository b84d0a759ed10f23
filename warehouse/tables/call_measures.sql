CREATE TABLE facts.call_measures (
    call_no INTEGER PRIMARY KEY,
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
    expectation_set DOUBLE,
    agent_turns DOUBLE,
    attentive DOUBLE,
    cognitive DOUBLE,
    affective DOUBLE,
    affective_followed DOUBLE,
    heated_answers DOUBLE
);
COMMENT ON VIEW call_measures IS 'One row an analyzed call: the headline values of metrics side by side, so that summaries of a million calls answer at once. NULL means it cannot be said; metrics.reason says why. Key: call_id.';
COMMENT ON COLUMN call_measures.agent_talk_s IS 'Seconds of the agent''s speech (talk_s).';
COMMENT ON COLUMN call_measures.customer_talk_s IS 'Seconds of the customer''s speech (talk_s).';
COMMENT ON COLUMN call_measures.agent_talk_share IS 'The agent''s share of all speech, 0..1 (talk_share).';
COMMENT ON COLUMN call_measures.customer_talk_share IS 'The customer''s share of all speech, 0..1 (talk_share).';
COMMENT ON COLUMN call_measures.non_talk_s IS 'Seconds in which nobody speaks (non_talk_s).';
COMMENT ON COLUMN call_measures.dead_air_s IS 'Seconds of dead air: long silences without hold music (dead_air_s).';
COMMENT ON COLUMN call_measures.dead_air_count IS 'How many spans of dead air (dead_air_count).';
COMMENT ON COLUMN call_measures.longest_dead_air_s IS 'Longest span of dead air, seconds (longest_dead_air_s).';
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
COMMENT ON COLUMN call_measures.agent_longest_monologue_s IS 'The agent''s longest uninterrupted span, seconds (longest_monologue_s).';
COMMENT ON COLUMN call_measures.customer_longest_monologue_s IS 'The customer''s longest uninterrupted span, seconds (longest_monologue_s).';
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
COMMENT ON COLUMN call_measures.next_step IS '1 when the agent said what happens next, what is done for the customer, or when, or offered to do something (next_step).';
COMMENT ON COLUMN call_measures.expectation_set IS '1 when the agent said by when (expectation_set).';
COMMENT ON COLUMN call_measures.agent_turns IS 'Turns of the agent (turns).';
COMMENT ON COLUMN call_measures.attentive IS 'Statements of the agent that show having listened (attentive).';
COMMENT ON COLUMN call_measures.cognitive IS 'Statements of the agent that take the customer''s view (cognitive).';
COMMENT ON COLUMN call_measures.affective IS 'Statements of the agent that name, share or acknowledge the feeling (denominator of empathy_to_action).';
COMMENT ON COLUMN call_measures.affective_followed IS 'Of these, those that a commitment follows (numerator of empathy_to_action).';
COMMENT ON COLUMN call_measures.heated_answers IS 'Measured turns of the agent that answer a heated one (observations of steadiness_level_db).';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.call_measures BY NAME
WITH measured AS (
    SELECT call_no, agents, agent_count, customers, unnest(metrics) AS m
    FROM staged
    WHERE status = 'analyzed'
),
sided AS (
    SELECT
        call_no,
        CASE
            WHEN m.party IS NULL THEN 'call.'
            WHEN agent_count = 1 AND m.party = agents[1].party THEN 'agent.'
            WHEN len(customers) = 1 AND m.party = customers[1].party THEN 'customer.'
        END || m.name AS measure,
        m.value,
        m.numerator,
        m.denominator,
        m.observations
    FROM measured
)
SELECT
    call_no,
    max(value) FILTER (measure = 'agent.talk_s') AS agent_talk_s,
    max(value) FILTER (measure = 'customer.talk_s') AS customer_talk_s,
    max(value) FILTER (measure = 'agent.talk_share') AS agent_talk_share,
    max(value) FILTER (measure = 'customer.talk_share') AS customer_talk_share,
    max(value) FILTER (measure = 'call.non_talk_s') AS non_talk_s,
    max(value) FILTER (measure = 'call.dead_air_s') AS dead_air_s,
    max(value) FILTER (measure = 'call.dead_air_count') AS dead_air_count,
    max(value) FILTER (measure = 'call.longest_dead_air_s') AS longest_dead_air_s,
    max(value) FILTER (measure = 'call.hold_s') AS hold_s,
    max(value) FILTER (measure = 'call.overlap_s') AS overlap_s,
    max(value) FILTER (measure = 'call.fto_median_s') AS fto_median_s,
    max(value) FILTER (measure = 'call.opening_story_s') AS opening_story_s,
    max(value) FILTER (measure = 'agent.interruptions') AS agent_interruptions,
    max(value) FILTER (measure = 'customer.interruptions') AS customer_interruptions,
    max(value) FILTER (measure = 'agent.competitive_interruptions') AS agent_competitive_interruptions,
    max(value) FILTER (measure = 'customer.competitive_interruptions') AS customer_competitive_interruptions,
    max(value) FILTER (measure = 'agent.response_latency_median_s') AS agent_latency_median_s,
    max(value) FILTER (measure = 'agent.response_latency_p90_s') AS agent_latency_p90_s,
    max(value) FILTER (measure = 'customer.response_latency_median_s') AS customer_latency_median_s,
    max(value) FILTER (measure = 'agent.longest_monologue_s') AS agent_longest_monologue_s,
    max(value) FILTER (measure = 'customer.longest_monologue_s') AS customer_longest_monologue_s,
    max(value) FILTER (measure = 'agent.backchannels') AS agent_backchannels,
    max(value) FILTER (measure = 'customer.heated_turns') AS heated_turns,
    max(value) FILTER (measure = 'agent.steadiness_level_db') AS agent_steadiness_level_db,
    max(value) FILTER (measure = 'agent.steadiness_rate_words_per_s') AS agent_steadiness_rate_words_per_s,
    max(value) FILTER (measure = 'agent.steadiness_pitch_st') AS agent_steadiness_pitch_st,
    max(value) FILTER (measure = 'call.opportunities') AS opportunities,
    max(denominator) FILTER (measure = 'call.answered_rate') AS answerable,
    max(numerator) FILTER (measure = 'call.answered_rate') AS answered,
    max(value) FILTER (measure = 'call.answered_rate') AS answered_rate,
    max(value) FILTER (measure = 'agent.apologies') AS apologies,
    max(value) FILTER (measure = 'agent.late_apologies') AS late_apologies,
    max(value) FILTER (measure = 'agent.questions_open') AS questions_open,
    max(value) FILTER (measure = 'agent.questions_closed') AS questions_closed,
    max(value) FILTER (measure = 'agent.ownership') AS ownership,
    max(value) FILTER (measure = 'agent.commitments') AS commitments,
    max(value) FILTER (measure = 'agent.dismissive') AS dismissive,
    max(value) FILTER (measure = 'agent.offers') AS offers,
    max(value) FILTER (measure = 'agent.misplaced_offers') AS misplaced_offers,
    max(value) FILTER (measure = 'agent.reasks') AS reasks,
    max(value) FILTER (measure = 'agent.premature_solutions') AS premature_solutions,
    max(value) FILTER (measure = 'customer.friction_repeat') AS friction_repeat,
    max(value) FILTER (measure = 'customer.friction_transfer') AS friction_transfer,
    max(value) FILTER (measure = 'customer.friction_hold') AS friction_hold,
    max(value) FILTER (measure = 'customer.hostile') AS hostile,
    max(value) FILTER (measure = 'call.silent_dissatisfaction') AS silent_dissatisfaction,
    max(value) FILTER (measure = 'call.resolution') AS resolution,
    max(value) FILTER (measure = 'call.next_step') AS next_step,
    max(value) FILTER (measure = 'call.expectation_set') AS expectation_set,
    max(value) FILTER (measure = 'agent.turns') AS agent_turns,
    max(value) FILTER (measure = 'agent.attentive') AS attentive,
    max(value) FILTER (measure = 'agent.cognitive') AS cognitive,
    max(denominator) FILTER (measure = 'agent.empathy_to_action') AS affective,
    max(numerator) FILTER (measure = 'agent.empathy_to_action') AS affective_followed,
    max(observations) FILTER (measure = 'agent.steadiness_level_db') AS heated_answers
FROM sided
GROUP BY call_no
ORDER BY call_no;
