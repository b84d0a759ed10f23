-- Calls in which it is not known who is agent and who is customer, and why; they have no ledger.
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
SELECT
    calls.call_id, calls.started_at, calls.channel_kind, calls.speaker_source,
    calls.speaker_confidence, calls.no_ledger_reason,
    string_agg(parties.party || ': ' || coalesce(parties.role_reason, ''), '; ' ORDER BY parties.party)
        AS what_is_known,
    calls.path
FROM calls
LEFT JOIN parties ON parties.call_id = calls.call_id
WHERE calls.status = 'analyzed' AND calls.role_confidence IS NULL
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
GROUP BY ALL
ORDER BY calls.started_at DESC, calls.call_id
LIMIT $n;
