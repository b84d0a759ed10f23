-- Who interrupts customers how often: per minute of the customers' speech, all and competitive ones.
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
SELECT
    agent_id,
    count(*) AS calls,
    sum(customer_talk_s) / 60 AS customer_minutes,
    sum(agent_interruptions) AS interruptions,
    sum(agent_competitive_interruptions) AS competitive,
    sum(agent_interruptions) / nullif(sum(customer_talk_s) / 60, 0) AS interruptions_per_min,
    sum(agent_competitive_interruptions) / nullif(sum(customer_talk_s) / 60, 0)
        AS competitive_per_min,
    sum(customer_interruptions) / nullif(sum(agent_talk_s) / 60, 0) AS by_customers_per_min
FROM call_summary AS calls
WHERE agent_id IS NOT NULL AND agent_interruptions IS NOT NULL AND customer_talk_s IS NOT NULL
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
GROUP BY agent_id
ORDER BY competitive_per_min DESC, agent_id;
