CREATE VIEW agent_week AS
WITH grouped AS (
    SELECT
        agent_id,
        mode(team) AS team,
        date_trunc('week', started_at)::DATE AS week,
        is_simulated,
        week_sums(calls) AS sums
    FROM call_summary AS calls
    WHERE status = 'analyzed' AND agent_id IS NOT NULL
    GROUP BY agent_id, date_trunc('week', started_at), is_simulated
),
weekly AS (SELECT * EXCLUDE (sums), unnest(sums) FROM grouped),
compared AS (
    SELECT
        *,
        sum(answered) OVER team AS team_answered,
        sum(answerable) OVER team AS team_answerable,
        count(*) OVER team >= coalesce(
            (SELECT value FROM profile_settings WHERE name = 'smallest_group'), 0
        ) AS is_group
    FROM weekly
    WINDOW team AS (PARTITION BY team, week, is_simulated)
),
rated AS (
    SELECT
        *,
        wilson(answered, answerable) AS answered_interval,
        CASE WHEN is_group THEN team_answered / nullif(team_answerable, 0) END AS team_rate,
        CASE WHEN is_group THEN (team_answered - coalesce(answered, 0))
            / nullif(team_answerable - coalesce(answerable, 0), 0) END AS others_rate,
        answerable >= 10 AS is_enough
    FROM compared
)
SELECT
    rated.agent_id,
    rated.team,
    rated.week,
    rated.is_simulated,
    rated.calls,
    rated.minutes,
    rated.ledger_calls,
    rated.opportunities,
    rated.answerable,
    rated.answered,
    rated.answered_rate,
    rated.answered_interval.low AS answered_low,
    rated.answered_interval.high AS answered_high,
    (rated.answered + 10 * rated.team_rate) / (rated.answerable + 10) AS answered_shrunken,
    rated.others_rate,
    coalesce(rated.is_enough, false) AS is_enough,
    CASE WHEN rated.is_enough THEN rated.answered_interval.low > rated.others_rate END
        AS is_above_team,
    rated.agent_talk_share,
    rated.interruptions_per_min,
    rated.dead_air_share,
    rated.offers,
    rated.misplaced_offers,
    rated.reasks,
    rated.hostile
FROM rated;

COMMENT ON VIEW agent_week IS 'One row an agent and week. Rates are of the sums, never means of rates. Small numbers are shrunken towards the team and not compared.';
COMMENT ON COLUMN agent_week.agent_id IS 'Who took the call, from the metadata.';
COMMENT ON COLUMN agent_week.team IS 'The team of most of these calls.';
COMMENT ON COLUMN agent_week.week IS 'Monday of the week, UTC; NULL for calls whose start is not known.';
COMMENT ON COLUMN agent_week.is_simulated IS 'True for calls made by warmline simulate, which are never added to real ones.';
COMMENT ON COLUMN agent_week.calls IS 'Calls analyzed.';
COMMENT ON COLUMN agent_week.minutes IS 'Length of these calls, minutes.';
COMMENT ON COLUMN agent_week.ledger_calls IS 'Calls with an opportunity ledger, also an empty one.';
COMMENT ON COLUMN agent_week.opportunities IS 'Cues that asked for empathy.';
COMMENT ON COLUMN agent_week.answerable IS 'Cues after which the agent spoke.';
COMMENT ON COLUMN agent_week.answered IS 'Cues that were answered.';
COMMENT ON COLUMN agent_week.answered_rate IS 'Answered over answerable cues of all calls together; NULL when there was none.';
COMMENT ON COLUMN agent_week.answered_low IS 'Lower end of the 95 % interval of answered_rate (Wilson; cues are taken as independent).';
COMMENT ON COLUMN agent_week.answered_high IS 'Upper end of that interval.';
COMMENT ON COLUMN agent_week.answered_shrunken IS 'answered_rate drawn towards the team''s by the weight of 10 cues, so that few cues do not make extremes; NULL where others_rate is, for the same reason.';
COMMENT ON COLUMN agent_week.others_rate IS 'answered_rate of the rest of the team in that week; NULL where the team had fewer agents with calls than profile.smallest_group, as it would be that of one or two people.';
COMMENT ON COLUMN agent_week.is_enough IS 'Whether there were at least 10 answerable cues; with fewer nothing is compared.';
COMMENT ON COLUMN agent_week.is_above_team IS 'Whether even the lower end of the interval is above the rest of the team; NULL when there were too few cues or too few agents.';
COMMENT ON COLUMN agent_week.agent_talk_share IS 'The agents'' speech over all speech.';
COMMENT ON COLUMN agent_week.interruptions_per_min IS 'Agents'' interruptions per minute of the customers'' speech.';
COMMENT ON COLUMN agent_week.dead_air_share IS 'Dead air over the length of the calls.';
COMMENT ON COLUMN agent_week.offers IS 'Sales offers.';
COMMENT ON COLUMN agent_week.misplaced_offers IS 'Sales offers soon after an unanswered cue, or in a feedback call.';
COMMENT ON COLUMN agent_week.reasks IS 'Information asked for again.';
COMMENT ON COLUMN agent_week.hostile IS 'Hostile words the agents were met with.';
