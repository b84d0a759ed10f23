-- The answered rate of a call is made of the rows of its ledger.
WITH ledger AS (
    SELECT call_id, count_if(answered) AS answered, count(answered) AS answerable
    FROM opportunities
    GROUP BY call_id
)
SELECT metrics.call_id, metrics.numerator, metrics.denominator, ledger.answered, ledger.answerable
FROM metrics
LEFT JOIN ledger ON ledger.call_id = metrics.call_id
WHERE metrics.name = 'answered_rate' AND metrics.value IS NOT NULL
    AND (metrics.numerator <> coalesce(ledger.answered, 0)
        OR metrics.denominator <> coalesce(ledger.answerable, 0));
