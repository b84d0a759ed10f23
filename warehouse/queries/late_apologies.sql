-- Apologies past the opening of the call, where they can do harm, with the words.
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
SELECT
    calls.call_id, calls.started_at, calls.agent_id, moments.start_s AS at_s,
    moments.start_s / calls.duration_s AS position, moments.text AS agent_words, calls.path
FROM (SELECT call_id, party, unnest(evidence) AS span FROM metrics WHERE name = 'late_apologies') AS late
INNER JOIN moments
    ON moments.call_id = late.call_id AND moments.party = late.party
    AND moments.kind = 'apology' AND moments.start_s = late.span.start_s
INNER JOIN calls ON calls.call_id = late.call_id
WHERE ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
ORDER BY calls.started_at DESC, calls.call_id, at_s
LIMIT $n;
