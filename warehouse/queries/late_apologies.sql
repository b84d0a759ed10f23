-- Apologies past the opening of the call, where they can do harm, with the words.
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH latest AS (
    SELECT calls.call_id, calls.started_at, sole_agent(calls.agent_id, calls.agents) AS agent_id,
        calls.duration_s, calls.is_simulated, calls.path
    FROM call_summary AS calls
    WHERE calls.late_apologies > 0
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    ORDER BY calls.started_at DESC, calls.call_id
    LIMIT $n
),
late AS (
    SELECT latest.call_id, measured.party, unnest(measured.evidence) AS span
    FROM latest
    INNER JOIN LATERAL (
        SELECT party, evidence FROM metrics
        WHERE metrics.call_id = latest.call_id AND metrics.name = 'late_apologies'
    ) AS measured ON true
)
SELECT
    latest.call_id, latest.started_at, latest.agent_id, moments.start_s AS at_s,
    moments.start_s / latest.duration_s AS position, moments.text AS agent_words,
    latest.is_simulated, latest.path
FROM late
INNER JOIN LATERAL (
    SELECT * FROM moments WHERE moments.call_id = late.call_id AND moments.kind = 'apology'
) AS moments ON moments.party = late.party AND moments.start_s = late.span.start_s
INNER JOIN latest ON latest.call_id = late.call_id
ORDER BY latest.started_at DESC, latest.call_id, at_s
LIMIT $n;
