-- How often agents interrupt customers, per minute of the customers' speech, in order of name: agents whose intervals overlap are not told apart.
-- competitive_low, competitive_high: 95 % interval of competitive_per_min (Byar's approximation to
-- Poisson's), wider by how much more calls of one agent differ than chance explains.
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
WITH measured AS (
    SELECT *, customer_talk_s / 60 AS minutes
    FROM call_summary AS calls
    WHERE agent_id IS NOT NULL AND agent_interruptions IS NOT NULL AND customer_talk_s IS NOT NULL
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
),
summed AS (
    SELECT
        agent_id,
        is_simulated,
        count(*) AS calls,
        sum(minutes) AS customer_minutes,
        sum(agent_interruptions) AS interruptions,
        sum(agent_competitive_interruptions) AS competitive,
        sum(agent_talk_s) / 60 AS agent_minutes,
        sum(customer_interruptions) AS by_customers
    FROM measured
    GROUP BY agent_id, is_simulated
),
-- How far calls scatter around the rate of their agent, over what chance alone gives (Pearson).
alike AS (
    SELECT greatest(1.0, coalesce(
        sum((agent_competitive_interruptions - competitive / customer_minutes * minutes) ** 2
            / nullif(competitive / customer_minutes * minutes, 0))
        / nullif(count(*) FILTER (competitive > 0 AND minutes > 0)
            - count(DISTINCT (agent_id, is_simulated)) FILTER (competitive > 0), 0), 1.0
    )) AS design_effect
    FROM measured
    INNER JOIN summed USING (agent_id, is_simulated)
    WHERE customer_minutes > 0
)
SELECT
    agent_id,
    is_simulated,
    calls,
    customer_minutes,
    interruptions,
    competitive,
    interruptions / nullif(customer_minutes, 0) AS interruptions_per_min,
    competitive / nullif(customer_minutes, 0) AS competitive_per_min,
    poisson(competitive, customer_minutes, design_effect).low AS competitive_low,
    poisson(competitive, customer_minutes, design_effect).high AS competitive_high,
    by_customers,
    agent_minutes,
    by_customers / nullif(agent_minutes, 0) AS by_customers_per_min
FROM summed
CROSS JOIN alike
ORDER BY agent_id, is_simulated;
