CREATE VIEW agent_index AS
WITH weights AS (
    SELECT replace(name, 'weight_', '') AS component, value AS weight
    FROM profile_settings
    WHERE starts_with(name, 'weight_') AND value > 0
),
summed AS (
    SELECT
        profile.agent_id,
        profile.is_simulated,
        sum(weight) FILTER (profile.score IS NOT NULL) AS measured,
        (SELECT sum(weight) FROM weights) AS total,
        sum(weight * profile.score) AS weighed,
        sqrt(sum((weight * (profile.score_high - profile.score_low) / 2) ** 2)) AS half
    FROM agent_profile AS profile
    INNER JOIN weights USING (component)
    GROUP BY profile.agent_id, profile.is_simulated
),
judged AS (
    SELECT
        *,
        measured / total
            >= (SELECT value FROM profile_settings WHERE name = 'min_weight_measured') AS is_enough
    FROM summed
)
SELECT
    agent_id,
    is_simulated,
    CASE WHEN is_enough THEN weighed / measured END AS empathy_index,
    CASE WHEN is_enough THEN (weighed - half) / measured END AS index_low,
    CASE WHEN is_enough THEN (weighed + half) / measured END AS index_high,
    coalesce(measured / total, 0) AS weight_measured
FROM judged;

COMMENT ON VIEW agent_index IS 'One row an agent: the weighted mean of the scores of agent_profile, by the weights in profile_settings. Empty as long as no weight is set (settings, [profile]): a single number hides what it is made of.';
COMMENT ON COLUMN agent_index.agent_id IS 'Who took the calls, from the metadata.';
COMMENT ON COLUMN agent_index.is_simulated IS 'True for simulated calls.';
COMMENT ON COLUMN agent_index.empathy_index IS 'The index, 50 being the mean of all calls; NULL when components of too much weight could not be measured.';
COMMENT ON COLUMN agent_index.index_low IS 'Lower end of its 95 % interval; the components'' errors are taken as independent.';
COMMENT ON COLUMN agent_index.index_high IS 'Upper end of it.';
COMMENT ON COLUMN agent_index.weight_measured IS 'Share of the weight that could be measured, 0..1.';
