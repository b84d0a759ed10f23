CREATE VIEW agent_week AS
-- Of several agents in a call the metadata names one: its cues, and the hostile words in it, are
-- nobody's here.
WITH known AS (
    SELECT * REPLACE (
        CASE WHEN agents = 1 THEN opportunities END AS opportunities,
        CASE WHEN agents = 1 THEN answerable END AS answerable,
        CASE WHEN agents = 1 THEN answered END AS answered,
        CASE WHEN agents = 1 THEN hostile END AS hostile
    )
    FROM call_summary
),
grouped AS (
    SELECT
        agent_id,
        mode(team ORDER BY team) AS team,
        date_trunc('week', started_at)::DATE AS week,
        is_simulated,
        week_sums(calls) AS sums
    FROM known AS calls
    WHERE status = 'analyzed' AND agent_id IS NOT NULL
    GROUP BY agent_id, date_trunc('week', started_at), is_simulated
),
weekly AS (SELECT * EXCLUDE (sums), unnest(sums) FROM grouped),
alike AS (
    SELECT team, is_simulated, design_effect_of(scatter, by_chance, answerable) AS design_effect
    FROM weekly
    GROUP BY team, is_simulated
),
compared AS (
    SELECT
        weekly.*,
        alike.design_effect,
        weekly.answerable / alike.design_effect AS effective,
        sum(answered) OVER team AS team_answered,
        sum(answerable) OVER team AS team_answerable,
        count(*) OVER team >= coalesce(
            (SELECT value FROM profile_settings WHERE name = 'smallest_group'), 0
        ) AS is_group
    FROM weekly
    INNER JOIN alike
        ON weekly.team IS NOT DISTINCT FROM alike.team AND weekly.is_simulated = alike.is_simulated
    WINDOW team AS (PARTITION BY weekly.team, weekly.week, weekly.is_simulated)
),
rated AS (
    SELECT
        *,
        wilson(answered_rate * effective, effective) AS answered_interval,
        team_answered / nullif(team_answerable, 0) AS rate_of_all,
        CASE WHEN is_group THEN team_answered / nullif(team_answerable, 0) END AS team_rate,
        CASE WHEN is_group THEN (team_answered - coalesce(answered, 0))
            / nullif(team_answerable - coalesce(answerable, 0), 0) END AS others_rate,
        (team_answerable - coalesce(answerable, 0)) / design_effect AS others_effective,
        answerable >= 10 AS is_enough
    FROM compared
),
-- How much agents of a team differ in a week beyond chance (DerSimonian & Laird 1986), and how
-- likely so much above the others is by chance.
judged AS (
    SELECT
        *,
        CASE WHEN count(answered_rate) OVER team >= 3 THEN greatest(0.0,
            (sum(effective * (answered_rate - rate_of_all) ** 2) OVER team
                / nullif(rate_of_all * (1 - rate_of_all), 0)
                - (count(answered_rate) OVER team - 1))
            / nullif((sum(effective) OVER team - sum(effective ** 2) OVER team
                / nullif(sum(effective) OVER team, 0))
                / nullif(rate_of_all * (1 - rate_of_all), 0), 0)) END AS between_agents,
        CASE WHEN is_enough AND others_effective > 0
            THEN shares_z(answered_rate, effective, others_rate, others_effective) END AS z
    FROM rated
    WINDOW team AS (PARTITION BY team, week, is_simulated)
),
tested AS (
    SELECT
        *,
        between_agents / nullif(
            between_agents + rate_of_all * (1 - rate_of_all) / effective, 0
        ) AS reliability,
        CASE WHEN z > 0 THEN 2 * upper_tail(z) WHEN z IS NOT NULL THEN 1.0 END AS p
    FROM judged
),
ranked AS (SELECT *, bh_step(p, is_simulated) AS step FROM tested),
corrected AS (SELECT *, bh_corrected(p, step, is_simulated) AS p_corrected FROM ranked)
SELECT
    corrected.agent_id,
    corrected.team,
    corrected.week,
    corrected.is_simulated,
    corrected.calls,
    corrected.minutes,
    corrected.ledger_calls,
    corrected.opportunities,
    corrected.answerable,
    corrected.answered,
    corrected.answered_rate,
    corrected.answered_interval.low AS answered_low,
    corrected.answered_interval.high AS answered_high,
    corrected.team_rate + corrected.reliability * (corrected.answered_rate - corrected.team_rate)
        AS answered_shrunken,
    CASE WHEN corrected.is_group THEN corrected.reliability END AS answered_reliability,
    corrected.design_effect,
    corrected.others_rate,
    coalesce(corrected.is_enough, false) AS is_enough,
    corrected.p_corrected <= 0.05 AS is_above_team,
    corrected.agent_talk_share,
    corrected.interruptions,
    corrected.customer_minutes,
    corrected.interruptions_per_min,
    corrected.dead_air_share,
    corrected.offers,
    corrected.misplaced_offers,
    corrected.reasks,
    corrected.hostile
FROM corrected;

COMMENT ON VIEW agent_week IS 'One row an agent and week. Rates are of the sums, never means of rates. Small numbers are shrunken towards the team and not compared. Cues of calls in which several agents speak are not counted: whose they are is not known.';
COMMENT ON COLUMN agent_week.agent_id IS 'Who took the call, from the metadata.';
COMMENT ON COLUMN agent_week.team IS 'The team of most of these calls; of several, the first by name.';
COMMENT ON COLUMN agent_week.week IS 'Monday of the week, UTC; NULL for calls whose start is not known.';
COMMENT ON COLUMN agent_week.is_simulated IS 'True for calls made by warmline simulate, which are never added to real ones.';
COMMENT ON COLUMN agent_week.calls IS 'Calls analyzed.';
COMMENT ON COLUMN agent_week.minutes IS 'Length of these calls, minutes.';
COMMENT ON COLUMN agent_week.ledger_calls IS 'Calls of one agent with an opportunity ledger, also an empty one.';
COMMENT ON COLUMN agent_week.opportunities IS 'Cues that asked for empathy.';
COMMENT ON COLUMN agent_week.answerable IS 'Cues after which the agent spoke.';
COMMENT ON COLUMN agent_week.answered IS 'Cues that were answered.';
COMMENT ON COLUMN agent_week.answered_rate IS 'Answered over answerable cues of all calls together; NULL when there was none.';
COMMENT ON COLUMN agent_week.answered_low IS 'Lower end of the 95 % interval of answered_rate (Wilson, at as many cues as they are worth: answerable / design_effect).';
COMMENT ON COLUMN agent_week.answered_high IS 'Upper end of that interval.';
COMMENT ON COLUMN agent_week.answered_shrunken IS 'The best guess of the agent''s own rate: answered_rate drawn towards the team''s by 1 - answered_reliability; NULL where others_rate is, or the team has fewer than three agents with cues.';
COMMENT ON COLUMN agent_week.answered_reliability IS 'How much of what agents of the team differ by in this week is more than chance, for so many cues: 0 says nothing, 1 all. Below 0.7 a ranking is mostly chance (DerSimonian & Laird 1986).';
COMMENT ON COLUMN agent_week.design_effect IS 'How many cues are worth one, because cues of one call are alike: scatter of calls over what chance gives, over all weeks of the team; at least 1.';
COMMENT ON COLUMN agent_week.others_rate IS 'answered_rate of the rest of the team in that week; NULL where the team had fewer agents with calls than profile.smallest_group, as it would be that of one or two people.';
COMMENT ON COLUMN agent_week.is_enough IS 'Whether there were at least 10 answerable cues; with fewer nothing is compared.';
COMMENT ON COLUMN agent_week.is_above_team IS 'Whether the rate is above the rest of the team by more than chance, by the likelihood ratio, allowing for all agents and weeks that are compared (Benjamini & Hochberg 1995 at 5 %); NULL when there were too few cues or too few agents.';
COMMENT ON COLUMN agent_week.agent_talk_share IS 'The agents'' speech over all speech.';
COMMENT ON COLUMN agent_week.interruptions IS 'Agents'' interruptions, in calls of which the customers'' speech is known.';
COMMENT ON COLUMN agent_week.customer_minutes IS 'Minutes of the customers'' speech, in calls of which the agents'' interruptions are known.';
COMMENT ON COLUMN agent_week.interruptions_per_min IS 'Agents'' interruptions per minute of the customers'' speech.';
COMMENT ON COLUMN agent_week.dead_air_share IS 'Dead air over the length of the calls.';
COMMENT ON COLUMN agent_week.offers IS 'Sales offers.';
COMMENT ON COLUMN agent_week.misplaced_offers IS 'Sales offers soon after an unanswered cue, or in a feedback call.';
COMMENT ON COLUMN agent_week.reasks IS 'Information asked for again.';
COMMENT ON COLUMN agent_week.hostile IS 'Hostile words the agent was met with, in calls of one agent.';
