INSERT INTO call_measures BY NAME
WITH measured AS (
    SELECT call_id, call_no, agents, customers, unnest(metrics) AS m
    FROM staged
    WHERE status = 'analyzed'
),
sided AS (
    SELECT
        call_id,
        call_no,
        CASE
            WHEN m.party IS NULL THEN 'call.'
            WHEN len(agents) = 1 AND m.party = agents[1].party THEN 'agent.'
            WHEN len(customers) = 1 AND m.party = customers[1].party THEN 'customer.'
        END || m.name AS measure,
        m.value,
        m.numerator,
        m.denominator,
        m.observations
    FROM measured
)
SELECT
    call_id,
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
GROUP BY call_id, call_no
ORDER BY call_no;
