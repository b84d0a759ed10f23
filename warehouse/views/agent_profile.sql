CREATE VIEW agent_profile AS
WITH summed AS (
    SELECT
        agent_id, is_simulated, component, team, sum(calls) AS calls, sum(amount) AS amount,
        sum(exposure) AS exposure
    FROM profile_totals
    WHERE agent_id IS NOT NULL
    GROUP BY agent_id, is_simulated, component, team
),
counts AS (
    SELECT
        agent_id, is_simulated, component, arg_max(team, calls ORDER BY team) AS team,
        sum(calls)::BIGINT AS calls_measured, sum(amount) AS amount, sum(exposure) AS exposure,
        any_value(direction) AS direction, any_value(min_exposure) AS min_exposure
    FROM summed
    INNER JOIN profile_components USING (component)
    GROUP BY agent_id, is_simulated, component
)
SELECT
    agent_id, team, calls_measured, is_simulated, component, direction, amount, exposure,
    amount / exposure AS value,
    reference.mean AS reference_mean,
    reference.calls AS reference_calls,
    profile_score(counts, reference).score AS score,
    profile_score(counts, reference).low AS score_low,
    profile_score(counts, reference).high AS score_high,
    profile_score(counts, reference).reason AS reason
FROM counts
INNER JOIN profile_reference AS reference USING (component, is_simulated);

COMMENT ON VIEW agent_profile IS 'The empathy profile: one row an agent and component, of all calls together, on one scale: 50 is the mean of the calls in this warehouse, 10 their spread, more is better. Behaviour of agents, never what they feel.';
COMMENT ON COLUMN agent_profile.agent_id IS 'Who took the calls, from the metadata.';
COMMENT ON COLUMN agent_profile.team IS 'The team of most of them.';
COMMENT ON COLUMN agent_profile.calls_measured IS 'Calls in which the component could be measured.';
COMMENT ON COLUMN agent_profile.is_simulated IS 'True for simulated calls, which are compared with each other only.';
COMMENT ON COLUMN agent_profile.component IS 'answering, listening, exploring, acting, giving_room, restraint or steadiness (profile_counts).';
COMMENT ON COLUMN agent_profile.direction IS '1 if more of the value is better, -1 if less is; scores are turned already.';
COMMENT ON COLUMN agent_profile.amount IS 'What was counted or added up.';
COMMENT ON COLUMN agent_profile.exposure IS 'Over how many opportunities, turns, questions, statements, minutes or answers.';
COMMENT ON COLUMN agent_profile.value IS 'Amount over exposure.';
COMMENT ON COLUMN agent_profile.reference_mean IS 'The same of all calls of the population.';
COMMENT ON COLUMN agent_profile.reference_calls IS 'How many calls that are.';
COMMENT ON COLUMN agent_profile.score IS 'The value on the common scale; NULL when too little could be measured.';
COMMENT ON COLUMN agent_profile.score_low IS 'Lower end of its 95 % interval: few observations, wide interval.';
COMMENT ON COLUMN agent_profile.score_high IS 'Upper end of it.';
COMMENT ON COLUMN agent_profile.reason IS 'Why there is no score; NULL when there is one.';
