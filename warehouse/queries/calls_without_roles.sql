-- Calls in which it is not known who is agent and who is customer, and why; they have no ledger.
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH picked AS (
    SELECT
        calls.call_id, calls.started_at, calls.channel_kind, calls.speaker_source,
        calls.speaker_confidence, calls.no_ledger_reason, calls.is_simulated, calls.path
    FROM calls
    WHERE calls.status = 'analyzed' AND calls.role_confidence IS NULL
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    ORDER BY calls.started_at DESC, calls.call_id
    LIMIT $n
)
SELECT
    picked.call_id, started_at, channel_kind, speaker_source, speaker_confidence, no_ledger_reason,
    string_agg(parties.party || ': ' || coalesce(parties.role_reason, ''), '; ' ORDER BY parties.party)
        AS what_is_known,
    is_simulated, path
FROM picked
LEFT JOIN LATERAL (SELECT * FROM parties WHERE parties.call_id = picked.call_id) AS parties ON true
GROUP BY ALL
ORDER BY started_at DESC, picked.call_id;
