-- Recordings that were not analyzed, by reason, with one of each.
SELECT
    status, reason_code, count(*) AS recordings, max(seen_at) AS last_seen_at,
    arg_max(path, (seen_at, path)) AS example, arg_max(reason, (seen_at, path)) AS example_reason
FROM failures
GROUP BY status, reason_code
ORDER BY recordings DESC, status, reason_code;
