-- Outcomes without a call, with the line they were loaded from.
-- $outcome VARCHAR = NULL: only this outcome
-- $n INTEGER = 100: at most this many rows
SELECT source, line, name, value, text, customer_id, given_call_id, occurred_at, unmatched_reason
FROM outcome_calls
WHERE unmatched_reason IS NOT NULL AND ($outcome IS NULL OR name = $outcome)
ORDER BY source, line, name
LIMIT $n;
