-- An outcome is given once, says whose it is or of which call, when unless a call is given, and what it is.
SELECT name, customer_id, given_call_id, occurred_at, 'says nothing' AS problem
FROM outcomes
WHERE (customer_id IS NULL AND given_call_id IS NULL)
    OR (occurred_at IS NULL AND given_call_id IS NULL)
    OR (value IS NULL) = (text IS NULL)
    OR NOT isfinite(coalesce(value, 0))
UNION ALL
SELECT name, customer_id, given_call_id, occurred_at, 'given ' || count(*) || ' times'
FROM outcomes
GROUP BY name, customer_id, given_call_id, occurred_at, is_whole_day
HAVING count(*) > 1;
