-- How many outcomes of each name could be tied to a call, and why the others could not.
SELECT
    name,
    coalesce(unmatched_reason, 'matched') AS what,
    count(*) AS outcomes,
    count(*) / sum(count(*)) OVER (PARTITION BY name) AS share,
    count(DISTINCT customer_id) AS customers,
    min(occurred_at) AS first_at,
    max(occurred_at) AS last_at,
    median(days_after) AS median_days_after
FROM outcome_calls
GROUP BY name, unmatched_reason
ORDER BY name, unmatched_reason NULLS FIRST;
