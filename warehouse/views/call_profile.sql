CREATE VIEW call_profile AS
SELECT
    call_id, agent_id, team, started_at, is_simulated, component, direction, amount, exposure,
    amount / exposure AS value,
    reference.mean AS reference_mean,
    reference.calls AS reference_calls,
    profile_score(counts, reference).score AS score,
    profile_score(counts, reference).low AS score_low,
    profile_score(counts, reference).high AS score_high,
    profile_score(counts, reference).reason AS reason
FROM profile_counts AS counts
INNER JOIN profile_reference AS reference USING (component, is_simulated);

COMMENT ON VIEW call_profile IS 'The empathy profile: one row a call and component, on one scale: 50 is the mean of the calls in this warehouse, 10 their spread, more is better. Behaviour of agents, never what they feel.';
COMMENT ON COLUMN call_profile.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN call_profile.agent_id IS 'Who took the call, from the metadata.';
COMMENT ON COLUMN call_profile.team IS 'The agent''s team, from the metadata.';
COMMENT ON COLUMN call_profile.started_at IS 'When the call began, UTC; NULL when the metadata does not say.';
COMMENT ON COLUMN call_profile.is_simulated IS 'True for simulated calls, which are compared with each other only.';
COMMENT ON COLUMN call_profile.component IS 'answering, listening, exploring, acting, giving_room, restraint or steadiness (profile_counts).';
COMMENT ON COLUMN call_profile.direction IS '1 if more of the value is better, -1 if less is; scores are turned already.';
COMMENT ON COLUMN call_profile.amount IS 'What was counted or added up.';
COMMENT ON COLUMN call_profile.exposure IS 'Over how many opportunities, turns, questions, statements, minutes or answers.';
COMMENT ON COLUMN call_profile.value IS 'Amount over exposure.';
COMMENT ON COLUMN call_profile.reference_mean IS 'The same of all calls of the population.';
COMMENT ON COLUMN call_profile.reference_calls IS 'How many calls that are.';
COMMENT ON COLUMN call_profile.score IS 'The value on the common scale; NULL when too little could be measured.';
COMMENT ON COLUMN call_profile.score_low IS 'Lower end of its 95 % interval: few observations, wide interval.';
COMMENT ON COLUMN call_profile.score_high IS 'Upper end of it.';
COMMENT ON COLUMN call_profile.reason IS 'Why there is no score; NULL when there is one.';
