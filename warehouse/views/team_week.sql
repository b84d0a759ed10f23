CREATE VIEW team_week AS
WITH grouped AS (
    SELECT
        team,
        date_trunc('week', started_at)::DATE AS week,
        is_simulated,
        count(DISTINCT agent_id) AS agents,
        week_sums(calls) AS sums
    FROM call_summary AS calls
    WHERE status = 'analyzed' AND team IS NOT NULL
    GROUP BY team, date_trunc('week', started_at), is_simulated
),
weekly AS (SELECT * EXCLUDE (sums), unnest(sums) FROM grouped),
alike AS (
    SELECT team, is_simulated, design_effect_of(scatter, by_chance, answerable) AS design_effect
    FROM weekly
    GROUP BY team, is_simulated
)
SELECT
    weekly.team,
    weekly.week,
    weekly.is_simulated,
    weekly.agents,
    weekly.calls,
    figures.agents IS NULL AS is_suppressed,
    figures.minutes,
    figures.ledger_calls,
    figures.opportunities,
    figures.answerable,
    figures.answered,
    figures.answered_rate,
    wilson(
        figures.answered / alike.design_effect, figures.answerable / alike.design_effect
    ).low AS answered_low,
    wilson(
        figures.answered / alike.design_effect, figures.answerable / alike.design_effect
    ).high AS answered_high,
    CASE WHEN figures.agents IS NOT NULL THEN alike.design_effect END AS design_effect,
    figures.agent_talk_share,
    figures.interruptions,
    figures.customer_minutes,
    figures.interruptions_per_min,
    figures.dead_air_share,
    figures.offers,
    figures.misplaced_offers,
    figures.reasks,
    figures.hostile
FROM weekly
INNER JOIN alike ON weekly.team = alike.team AND weekly.is_simulated = alike.is_simulated
-- Of a team of one or two, any figure is one or two people's: none of them is shown.
LEFT JOIN weekly AS figures
    ON weekly.team = figures.team AND weekly.week IS NOT DISTINCT FROM figures.week
    AND weekly.is_simulated = figures.is_simulated
    AND figures.agents >= coalesce(
        (SELECT value FROM profile_settings WHERE name = 'smallest_group'), 0
    );

COMMENT ON VIEW team_week IS 'One row a team and week. Rates are of the sums, never means of rates. A team of fewer agents than profile.smallest_group has its size and NULL.';
COMMENT ON COLUMN team_week.team IS 'The agent''s team, from the metadata.';
COMMENT ON COLUMN team_week.week IS 'Monday of the week, UTC; NULL for calls whose start is not known.';
COMMENT ON COLUMN team_week.is_simulated IS 'True for calls made by warmline simulate, which are never added to real ones.';
COMMENT ON COLUMN team_week.agents IS 'Agents who took these calls.';
COMMENT ON COLUMN team_week.calls IS 'Calls analyzed.';
COMMENT ON COLUMN team_week.is_suppressed IS 'Whether fewer agents took these calls than profile.smallest_group: all that follows is then NULL.';
COMMENT ON COLUMN team_week.minutes IS 'Length of these calls, minutes.';
COMMENT ON COLUMN team_week.ledger_calls IS 'Calls with an opportunity ledger, also an empty one.';
COMMENT ON COLUMN team_week.opportunities IS 'Cues that asked for empathy.';
COMMENT ON COLUMN team_week.answerable IS 'Cues after which the agent spoke.';
COMMENT ON COLUMN team_week.answered IS 'Cues that were answered.';
COMMENT ON COLUMN team_week.answered_rate IS 'Answered over answerable cues of all calls together; NULL when there was none.';
COMMENT ON COLUMN team_week.answered_low IS 'Lower end of the 95 % interval of answered_rate (Wilson, at as many cues as they are worth: answerable / design_effect).';
COMMENT ON COLUMN team_week.answered_high IS 'Upper end of that interval.';
COMMENT ON COLUMN team_week.design_effect IS 'How many cues are worth one, because cues of one call are alike: scatter of calls over what chance gives, over all weeks of the team; at least 1.';
COMMENT ON COLUMN team_week.agent_talk_share IS 'The agents'' speech over all speech.';
COMMENT ON COLUMN team_week.interruptions IS 'Agents'' interruptions, in calls of which the customers'' speech is known.';
COMMENT ON COLUMN team_week.customer_minutes IS 'Minutes of the customers'' speech, in calls of which the agents'' interruptions are known.';
COMMENT ON COLUMN team_week.interruptions_per_min IS 'Agents'' interruptions per minute of the customers'' speech.';
COMMENT ON COLUMN team_week.dead_air_share IS 'Dead air over the length of the calls.';
COMMENT ON COLUMN team_week.offers IS 'Sales offers.';
COMMENT ON COLUMN team_week.misplaced_offers IS 'Sales offers soon after an unanswered cue, or in a feedback call.';
COMMENT ON COLUMN team_week.reasks IS 'Information asked for again.';
COMMENT ON COLUMN team_week.hostile IS 'Hostile words the agents were met with.';
