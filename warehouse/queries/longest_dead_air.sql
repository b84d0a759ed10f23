-- The longest silences without hold music, with what was said before and after.
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 20: at most this many rows
WITH longest AS (
    SELECT s.call_id, s.start_s, s.end_s - s.start_s AS silence_s
    FROM silences AS s
    INNER JOIN calls ON calls.call_id = s.call_id
    WHERE s.kind = 'dead_air'
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    ORDER BY silence_s DESC, s.call_id, s.start_s
    LIMIT $n
)
SELECT
    calls.call_id, calls.started_at, calls.agent_id, longest.start_s, silence_s,
    max_by(turns.role, turns.start_s) FILTER (turns.start_s < longest.start_s) AS spoke_before,
    max_by(turns.text, turns.start_s) FILTER (turns.start_s < longest.start_s) AS words_before,
    min_by(turns.role, turns.start_s) FILTER (turns.start_s > longest.start_s) AS spoke_after,
    min_by(turns.text, turns.start_s) FILTER (turns.start_s > longest.start_s) AS words_after,
    calls.is_simulated, calls.path
FROM longest
INNER JOIN calls ON calls.call_id = longest.call_id
LEFT JOIN LATERAL (SELECT * FROM turns WHERE turns.call_id = longest.call_id) AS turns ON true
GROUP BY calls.call_id, calls.started_at, calls.agent_id, longest.start_s, silence_s, calls.is_simulated,
    calls.path
ORDER BY silence_s DESC, calls.call_id, longest.start_s;
