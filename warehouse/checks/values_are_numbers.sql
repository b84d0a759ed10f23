-- No measure is infinite or not a number.
SELECT call_id, party, name
FROM metrics
WHERE NOT (isfinite(coalesce(value, 0)) AND isfinite(coalesce(numerator, 0))
    AND isfinite(coalesce(denominator, 0)));
