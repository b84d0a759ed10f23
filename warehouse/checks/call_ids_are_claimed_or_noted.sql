-- A call id is the claimed one, or differs from it by a digest and says why.
SELECT call_id, claimed_call_id
FROM calls
WHERE (call_id_note IS NULL AND call_id <> trim(claimed_call_id))
    OR (call_id_note IS NOT NULL AND NOT regexp_matches(call_id, '[0-9a-f]{8,}$'));
