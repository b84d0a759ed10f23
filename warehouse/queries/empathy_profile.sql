-- The empathy profile of agents: each component on one scale (50 the mean of all calls here, 10 their spread) with its interval, and the index where weights are set.
-- $agent VARCHAR = NULL: only this agent
-- $simulated BOOLEAN = false: of simulated calls instead of real ones
SELECT
    profile.agent_id, profile.team, profile.component, profile.calls_measured,
    profile.amount, profile.exposure, profile.value, profile.reference_mean,
    profile.score, profile.score_low, profile.score_high, profile.reason,
    agents.empathy_index, agents.index_low, agents.index_high
FROM agent_profile AS profile
LEFT JOIN agent_index AS agents
    ON agents.agent_id = profile.agent_id AND agents.is_simulated = profile.is_simulated
WHERE profile.is_simulated = $simulated AND ($agent IS NULL OR profile.agent_id = $agent)
ORDER BY profile.agent_id, profile.component;
