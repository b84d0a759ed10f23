-- How often each question of a scorecard was answered yes, with the 95 % interval: where a team loses points.
-- $agent VARCHAR = NULL: only calls of this agent
-- $team VARCHAR = NULL: only calls of this team
-- $form VARCHAR = NULL: only this scorecard
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
SELECT
    calls.form,
    calls.section,
    calls.question,
    any_value(calls."text") AS "text",
    count_if(calls.answer = 'yes') AS yes,
    count_if(calls.answer = 'no') AS no,
    count_if(calls.answer = 'not_applicable') AS not_applicable,
    yes / nullif(yes + no, 0) AS yes_share,
    wilson(yes, yes + no).low AS yes_share_low,
    wilson(yes, yes + no).high AS yes_share_high
FROM evaluation_answers AS calls
WHERE calls.is_current AND calls.calibration_id IS NULL
    AND ($agent IS NULL OR calls.agent_id = $agent)
    AND ($team IS NULL OR calls.team = $team)
    AND ($form IS NULL OR calls.form = $form)
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
GROUP BY calls.form, calls.section, calls.question
ORDER BY yes_share NULLS LAST, calls.form, calls.section, calls.question;
