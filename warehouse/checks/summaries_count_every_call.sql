-- What is kept summed up is of the calls that are there, and of all of them.
SELECT 'customer_opening' AS table_name, call_id FROM customer_opening WHERE call_id IS NULL
UNION ALL
SELECT 'customer_opening', call_id FROM customer_opening GROUP BY call_id HAVING count(*) > 1
UNION ALL
SELECT 'customer_opening', calls.call_id FROM calls
SEMI JOIN turns ON turns.call_id = calls.call_id
ANTI JOIN customer_opening ON customer_opening.call_id = calls.call_id
WHERE calls.customer_party IS NOT NULL AND calls.no_ledger_reason IS NULL
UNION ALL
SELECT 'profile_totals', NULL FROM (
    SELECT coalesce(sum(calls), 0) AS calls FROM profile_totals WHERE component = 'answering'
) AS summed
WHERE summed.calls <> (SELECT count(answered) FROM call_measures INNER JOIN calls USING (call_id)
    WHERE answerable > 0 AND agents = 1);
