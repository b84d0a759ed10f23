-- Cues answered best, as clips for coaching and recognition: file, start and end.
-- $agent VARCHAR = NULL: only calls of this agent
-- $min_level INTEGER = 2: only answers of at least this depth
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 50: at most this many rows
SELECT
    calls.agent_id, o.call_id, calls.started_at, o.kind, o.text AS customer_words, o.answer, o.level,
    o.answer_text AS agent_words,
    greatest(o.start_s - 2, 0) AS clip_start_s,
    least(coalesce(o.answer_end_s, o.end_s) + 2, calls.duration_s) AS clip_end_s,
    calls.path
FROM opportunities AS o
INNER JOIN calls ON calls.call_id = o.call_id
WHERE o.answered AND o.level >= $min_level
    AND ($agent IS NULL OR calls.agent_id = $agent)
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
ORDER BY o.level DESC, o.strength DESC, calls.started_at DESC, o.call_id, clip_start_s
LIMIT $n;
