-- Customers who left dissatisfied without complaining: the signs did not fade and nothing was solved.
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH latest AS (
    SELECT calls.call_id
    FROM call_summary AS calls
    WHERE calls.silent_dissatisfaction = 1
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    ORDER BY calls.started_at DESC, calls.call_id
    LIMIT $n
)
SELECT
    calls.call_id, calls.started_at, calls.customer_id, calls.agent_id, calls.contact_reason,
    calls.opportunities, calls.answered,
    list_transform(metrics.evidence, lambda span: span.start_s) AS signs_at_s,
    list_last(metrics.evidence).start_s AS last_sign_at_s,
    calls.is_simulated, calls.path
FROM latest
INNER JOIN call_summary AS calls ON calls.call_id = latest.call_id
INNER JOIN LATERAL (
    SELECT evidence FROM metrics
    WHERE metrics.call_id = latest.call_id AND metrics.name = 'silent_dissatisfaction'
) AS metrics ON true
ORDER BY calls.started_at DESC, calls.call_id;
