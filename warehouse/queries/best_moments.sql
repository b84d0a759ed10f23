-- Cues answered best, as clips for coaching and recognition: file, start and end.
-- $agent VARCHAR = NULL: only calls of this agent
-- $min_level INTEGER = 2: only answers of at least this depth
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 50: at most this many rows
SELECT
    agent_id, call_id, started_at, kind, text AS customer_words, answer, level,
    answer_text AS agent_words, clip_start_s, clip_end_s, path
FROM opportunity_detail AS calls
WHERE answered AND level >= $min_level
    AND ($agent IS NULL OR agent_id = $agent)
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
ORDER BY level DESC, strength DESC, started_at DESC, call_id, clip_start_s
LIMIT $n;
