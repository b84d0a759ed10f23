-- What calls of the newest warmline in here are measured by is defined, at the level it is measured at.
SELECT DISTINCT metrics.name, metrics.party IS NULL AS is_of_call
FROM metrics
INNER JOIN calls ON calls.call_id = metrics.call_id
LEFT JOIN metric_definitions AS definitions
    ON definitions.name = metrics.name AND definitions.is_current
WHERE (definitions.level IS NULL OR (definitions.level = 'call') <> (metrics.party IS NULL))
    AND calls.warmline_version = (SELECT max_by(warmline_version, analyzed_at) FROM calls);
