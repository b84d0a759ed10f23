-- A share is its numerator over its denominator.
SELECT call_id, party, name, value, numerator, denominator
FROM metrics
WHERE name IN (SELECT name FROM metric_definitions WHERE unit = 'share')
    AND value IS NOT NULL AND numerator IS NOT NULL AND denominator > 0
    AND abs(value - numerator / denominator) > 0.000001;
