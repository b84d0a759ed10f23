CREATE VIEW failures AS
SELECT call_id, path, status, reason_code, reason, analyzed_at AS seen_at
FROM calls
WHERE status IN ('no_speech', 'refused', 'failed')
UNION ALL
SELECT NULL, file, 'unreadable', 'landing_file', problem, NULL
FROM landing.files
WHERE problem IS NOT NULL
UNION ALL
SELECT NULL, file, 'unreadable', 'landing_file', problem, NULL
FROM landing.outcome_files
WHERE problem IS NOT NULL
UNION ALL
SELECT NULL, file, 'unreadable', 'landing_file', problem, NULL
FROM landing.review_files
WHERE problem IS NOT NULL
UNION ALL
SELECT NULL, file, 'unreadable', 'landing_file', problem, NULL
FROM landing.evaluation_files
WHERE problem IS NOT NULL;

COMMENT ON VIEW failures IS 'One row a recording or landing file that could not be read or analyzed, and why.';
COMMENT ON COLUMN failures.call_id IS 'The call; NULL for a landing file.';
COMMENT ON COLUMN failures.path IS 'The recording, or the name of the landing file.';
COMMENT ON COLUMN failures.status IS 'no_speech, refused, failed, or unreadable for a damaged landing file.';
COMMENT ON COLUMN failures.reason_code IS 'Stable word for why, for counting.';
COMMENT ON COLUMN failures.reason IS 'Why, as a sentence.';
COMMENT ON COLUMN failures.seen_at IS 'When it was looked at, UTC; NULL for a landing file.';
