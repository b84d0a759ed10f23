CREATE VIEW agent_profile AS
WITH scored AS (
    SELECT
        counts.*,
        amount / exposure AS value,
        reference.mean AS reference_mean,
        reference.calls AS reference_calls,
        CASE
            WHEN NOT reference.is_enough THEN 'too few calls to compare with, or all alike'
            WHEN exposure < min_exposure THEN 'too little could be measured'
        END AS reason,
        profile_score(
            amount / exposure, exposure, direction, reference.mean,
            nullif(reference.spread, 0), reference.noise
        ) AS scale
    FROM (
    SELECT
        agent_id, mode(team) AS team, count(*) AS calls_measured, is_simulated, component,
        direction, min_exposure, sum(amount) AS amount, sum(exposure) AS exposure
    FROM profile_counts
    WHERE agent_id IS NOT NULL
    GROUP BY agent_id, is_simulated, component, direction, min_exposure
) AS counts
    INNER JOIN profile_reference AS reference USING (component, is_simulated)
)
SELECT
    agent_id, team, calls_measured, is_simulated, component, direction, amount, exposure, value,
    reference_mean, reference_calls,
    CASE WHEN reason IS NULL THEN scale.score END AS score,
    CASE WHEN reason IS NULL THEN scale.low END AS score_low,
    CASE WHEN reason IS NULL THEN scale.high END AS score_high,
    reason
FROM scored;

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
