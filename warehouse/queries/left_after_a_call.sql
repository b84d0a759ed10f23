-- Customers who left soon after a call, with how that call went: what to listen to first when asking why they left.
-- $days INTEGER = 30: at most so many days after the call
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $simulated BOOLEAN = false: true for simulated calls, which are never added to real ones
-- $n INTEGER = 100: at most this many rows
SELECT
    calls.call_id, calls.started_at, o.days_after, calls.customer_id, calls.queue,
    calls.contact_reason, calls.opportunities, calls.answered, calls.answered_rate,
    calls.silent_dissatisfaction, calls.reasks, calls.hostile, calls.path
FROM outcomes_within('retained', $days) AS o
INNER JOIN call_summary AS calls ON calls.call_id = o.call_id
WHERE o.value = 0 AND o.is_simulated = $simulated
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
ORDER BY
    calls.answerable - calls.answered DESC NULLS LAST,
    calls.silent_dissatisfaction DESC NULLS LAST,
    o.days_after,
    calls.call_id
LIMIT $n;
