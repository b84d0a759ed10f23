-- What agents scored on scorecards that people filled in, in order of name: evaluations that count, without calibrations.
-- mean_low, mean_high: 95 % interval of mean_score (Student's t), for five evaluations or more: with
-- fewer a mean says next to nothing, and agents whose intervals overlap are not told apart.
-- $agent VARCHAR = NULL: only this agent
-- $form VARCHAR = NULL: only this scorecard
-- $min_evaluations INTEGER = 1: only agents with at least so many evaluations
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
WITH scored AS (
    SELECT
        calls.agent_id,
        calls.form,
        count(*) AS evaluations,
        count(DISTINCT calls.call_id) AS calls,
        count(DISTINCT calls.evaluator) AS evaluators,
        avg(calls.score) AS mean_score,
        CASE WHEN count(calls.score) >= 5 THEN students_t(count(calls.score) - 1)
            * stddev_samp(calls.score) / sqrt(count(calls.score)) END AS half,
        min(calls.score) AS lowest_score,
        arg_min(calls.call_id, (calls.score, calls.call_id)) AS lowest_call_id,
        count_if(calls.critical_fails > 0) AS with_critical_fail,
        count_if(calls.status = 'appealed') AS appeals_to_decide,
        count_if(calls.status = 'overturned') AS overturned
    FROM evaluation_detail AS calls
    WHERE calls.is_current AND calls.calibration_id IS NULL AND calls.agent_id IS NOT NULL
        AND ($agent IS NULL OR calls.agent_id = $agent)
        AND ($form IS NULL OR calls.form = $form)
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    GROUP BY calls.agent_id, calls.form
    HAVING count(*) >= $min_evaluations
)
SELECT
    agent_id, form, evaluations, calls, evaluators, mean_score,
    greatest(0.0, mean_score - half) AS mean_low, least(1.0, mean_score + half) AS mean_high,
    lowest_score, lowest_call_id, with_critical_fail, appeals_to_decide, overturned
FROM scored
ORDER BY form, agent_id;
