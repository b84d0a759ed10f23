-- Each agent's answered rate before and after a day, by name. It does not say that a training did
-- anything: everybody has better and worse months, and who is trained after a poor one rises by luck.
-- `warmline research training` compares with untrained agents over the same weeks. rate_before,
-- rate_after: the share of answerable cues that were answered; difference: after less before, from
-- difference_low to difference_high with chance (95 %, Newcombe 1998, method 10, at as many cues as they
-- are worth); reading: what that says of one agent, allowing for all agents that are compared (p_corrected).
-- $day DATE: the day; calls of that day count as after
-- $days INTEGER = 90: how many days to look at on either side
-- $min_cues INTEGER = 10: only agents with at least so many answerable cues on either side
WITH grouped AS (
    SELECT
        agent_id,
        is_simulated,
        started_at >= $day AS is_after,
        week_sums(calls) AS sums
    FROM call_summary AS calls
    WHERE agent_id IS NOT NULL AND agents = 1
        AND started_at >= $day - to_days($days) AND started_at < $day + to_days($days)
    GROUP BY agent_id, is_simulated, started_at >= $day
),
sums AS (SELECT * EXCLUDE (sums), unnest(sums) FROM grouped),
alike AS (SELECT design_effect_of(scatter, by_chance, answerable) AS design_effect FROM sums),
sides AS (
    SELECT
        agent_id,
        is_simulated,
        any_value(design_effect) AS design_effect,
        sum(answered) FILTER (NOT is_after) AS answered_before,
        sum(answerable) FILTER (NOT is_after) AS cues_before,
        sum(answered) FILTER (is_after) AS answered_after,
        sum(answerable) FILTER (is_after) AS cues_after
    FROM sums
    CROSS JOIN alike
    GROUP BY agent_id, is_simulated
),
rates AS (
    SELECT
        *,
        answered_before / cues_before AS rate_before,
        answered_after / cues_after AS rate_after,
        wilson(answered_before / design_effect, cues_before / design_effect) AS before,
        wilson(answered_after / design_effect, cues_after / design_effect) AS after,
        2 * upper_tail(abs(shares_z(
            rate_after, cues_after / design_effect, rate_before, cues_before / design_effect
        ))) AS p
    FROM sides
    WHERE cues_before >= greatest($min_cues, 1) AND cues_after >= greatest($min_cues, 1)
),
differences AS (
    SELECT
        *,
        rate_after - rate_before AS difference,
        rate_after - rate_before
            - sqrt((rate_after - after.low) ** 2 + (before.high - rate_before) ** 2)
            AS difference_low,
        rate_after - rate_before
            + sqrt((after.high - rate_after) ** 2 + (rate_before - before.low) ** 2)
            AS difference_high,
        bh_step(p, is_simulated) AS step
    FROM rates
),
corrected AS (SELECT *, bh_corrected(p, step, is_simulated) AS p_corrected FROM differences)
SELECT
    agent_id, is_simulated, answered_before, cues_before, rate_before, answered_after, cues_after,
    rate_after, difference, difference_low, difference_high, p_corrected,
    CASE
        WHEN p_corrected <= 0.05 AND difference_low > 0 THEN 'higher after it; why is not told'
        WHEN p_corrected <= 0.05 AND difference_high < 0 THEN 'lower after it; why is not told'
        ELSE 'no difference is shown'
    END AS reading
FROM corrected
ORDER BY agent_id, is_simulated;
