-- Each agent's answered rate before and after a day, by name. It does not say that a training did
-- anything: everybody has better and worse months, who is trained after a poor one rises by luck, and
-- of twenty agents one looks changed by chance. `warmline research training` compares with untrained
-- agents over the same weeks. rate_before, rate_after: the share of answerable cues that were answered;
-- difference: after less before, from difference_low to difference_high with chance (95 %, Newcombe
-- 1998, method 10; cues are taken as independent); reading: what that says of one agent.
-- $day DATE: the day; calls of that day count as after
-- $days INTEGER = 90: how many days to look at on either side
-- $min_cues INTEGER = 10: only agents with at least so many answerable cues on either side
WITH sides AS (
    SELECT
        agent_id,
        sum(answered) FILTER (started_at < $day) AS answered_before,
        sum(answerable) FILTER (started_at < $day) AS cues_before,
        sum(answered) FILTER (started_at >= $day) AS answered_after,
        sum(answerable) FILTER (started_at >= $day) AS cues_after
    FROM call_summary
    WHERE agent_id IS NOT NULL AND agents = 1
        AND started_at >= $day - to_days($days) AND started_at < $day + to_days($days)
    GROUP BY agent_id
),
rates AS (
    SELECT
        *,
        answered_before / cues_before AS rate_before,
        answered_after / cues_after AS rate_after,
        wilson(answered_before, cues_before) AS before,
        wilson(answered_after, cues_after) AS after
    FROM sides
    WHERE cues_before >= $min_cues AND cues_after >= $min_cues
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
            AS difference_high
    FROM rates
)
SELECT
    agent_id, answered_before, cues_before, rate_before, answered_after, cues_after, rate_after,
    difference, difference_low, difference_high,
    CASE
        WHEN difference_low > 0 THEN 'higher after it; why is not told'
        WHEN difference_high < 0 THEN 'lower after it; why is not told'
        ELSE 'no difference is shown'
    END AS reading
FROM differences
ORDER BY agent_id;
