-- The empathy profile of agents, a row a component, with the index where weights are set.
-- value: amount over exposure in the agent's calls; reference_mean: the same of all calls here; score: value on a scale on which 50 is the mean of all calls here and 10 is how much calls usually differ from it, from score_low to score_high with chance (95 %); reading: what that says, allowing for all agents and components that are compared (p_corrected).
-- $agent VARCHAR = NULL: only this agent
-- $simulated BOOLEAN = false: of simulated calls instead of real ones
WITH judged AS (
    SELECT
        *,
        2 * upper_tail(abs(score - 50) / nullif((score_high - score_low) / 3.92, 0)) AS p
    FROM agent_profile
),
ranked AS (SELECT *, bh_step(p, is_simulated) AS step FROM judged),
corrected AS (SELECT *, bh_corrected(p, step, is_simulated) AS p_corrected FROM ranked)
SELECT
    profile.agent_id, profile.team, profile.component, profile.calls_measured,
    profile.amount, profile.exposure, profile.value, profile.reference_mean,
    profile.score, profile.score_low, profile.score_high, profile.p_corrected,
    CASE
        WHEN profile.score IS NULL THEN profile.reason
        WHEN profile.p_corrected <= 0.05 AND profile.score > 50 THEN 'above the mean of all calls'
        WHEN profile.p_corrected <= 0.05 AND profile.score < 50 THEN 'below the mean of all calls'
        ELSE 'not told apart from the mean of all calls'
    END AS reading,
    agents.empathy_index, agents.index_low, agents.index_high
FROM corrected AS profile
LEFT JOIN agent_index AS agents
    ON agents.agent_id = profile.agent_id AND agents.is_simulated = profile.is_simulated
WHERE profile.is_simulated = $simulated AND ($agent IS NULL OR profile.agent_id = $agent)
ORDER BY profile.agent_id, profile.component;
