-- Feelings that customers showed and agents did not answer, with the words.
-- $kind VARCHAR = NULL: only cues of this kind: fear_anxiety, anger_frustration, ...
-- $agent VARCHAR = NULL: only calls of this agent
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH picked AS (
    SELECT o.*, calls.started_at, calls.agent_id, calls.path, calls.duration_s
    FROM opportunities AS o
    INNER JOIN calls ON calls.call_id = o.call_id
    WHERE o.answered IS NOT TRUE
        AND ($kind IS NULL OR o.kind = $kind)
        AND ($agent IS NULL OR calls.agent_id = $agent)
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    ORDER BY calls.started_at DESC, o.strength DESC, o.call_id, o.start_s
    LIMIT $n
)
SELECT
    picked.call_id, started_at, agent_id, kind, picked.start_s, picked.text AS customer_words,
    answer, coalesce(replied.text, '') AS agent_words,
    greatest(picked.start_s - 2, 0) AS clip_start_s,
    least(coalesce(answer_end_s, picked.end_s) + 2, duration_s) AS clip_end_s,
    path
FROM picked
LEFT JOIN turns AS replied
    ON replied.call_id = picked.call_id AND replied.turn_index = picked.answer_turn_index
ORDER BY started_at DESC, strength DESC, picked.call_id, picked.start_s;
