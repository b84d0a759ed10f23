-- Apologies past the opening of the call, where they can do harm, with the words.
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH latest AS (
    SELECT calls.call_no, calls.call_id, calls.started_at, calls.agent_id, calls.duration_s, calls.path
    FROM call_summary AS calls
    WHERE calls.late_apologies > 0
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    ORDER BY calls.started_at DESC, calls.call_id
    LIMIT $n
),
late AS (
    SELECT metrics.call_no, metrics.party, unnest(metrics.evidence) AS span
    FROM metrics
    INNER JOIN latest ON latest.call_no = metrics.call_no
    WHERE metrics.name = 'late_apologies'
)
SELECT
    latest.call_id, latest.started_at, latest.agent_id, moments.start_s AS at_s,
    moments.start_s / latest.duration_s AS position, moments.text AS agent_words, latest.path
FROM late
INNER JOIN moments
    ON moments.call_no = late.call_no AND moments.party = late.party
    AND moments.kind = 'apology' AND moments.start_s = late.span.start_s
INNER JOIN latest ON latest.call_no = late.call_no
ORDER BY latest.started_at DESC, latest.call_id, at_s
LIMIT $n;
