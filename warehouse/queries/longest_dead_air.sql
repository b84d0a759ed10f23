-- The longest silences without hold music, with what was said before and after.
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 20: at most this many rows
WITH longest AS (
    SELECT
        calls.call_id, calls.started_at, calls.agent_id, s.start_s, s.end_s,
        s.end_s - s.start_s AS silence_s, calls.path
    FROM silences AS s
    INNER JOIN calls ON calls.call_id = s.call_id
    WHERE s.kind = 'dead_air'
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    ORDER BY silence_s DESC, calls.call_id, s.start_s
    LIMIT $n
)
SELECT
    longest.call_id, started_at, agent_id, longest.start_s, silence_s,
    max_by(turns.role, turns.start_s) FILTER (turns.start_s < longest.start_s) AS spoke_before,
    max_by(turns.text, turns.start_s) FILTER (turns.start_s < longest.start_s) AS words_before,
    min_by(turns.role, turns.start_s) FILTER (turns.start_s > longest.start_s) AS spoke_after,
    min_by(turns.text, turns.start_s) FILTER (turns.start_s > longest.start_s) AS words_after,
    path
FROM longest
LEFT JOIN turns ON turns.call_id = longest.call_id
GROUP BY longest.call_id, started_at, agent_id, longest.start_s, silence_s, path
ORDER BY silence_s DESC, longest.call_id, longest.start_s;
