-- A status is one of the known ones; a call that was not analyzed says why, one that was has no such reason.
SELECT call_id, status, reason_code
FROM calls
WHERE status NOT IN ('analyzed', 'no_speech', 'refused', 'failed', 'duplicate')
    OR (status = 'analyzed') <> (reason IS NULL AND reason_code IS NULL)
    OR (reason IS NULL) <> (reason_code IS NULL);
