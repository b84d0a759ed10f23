-- Feelings that customers showed and agents did not answer, with the words.
-- $kind VARCHAR = NULL: only cues of this kind: fear_anxiety, anger_frustration, ...
-- $agent VARCHAR = NULL: only calls of this agent
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
SELECT
    call_id, started_at, agent_id, kind, start_s, text AS customer_words, answer,
    coalesce(agent_turn, '') AS agent_words, clip_start_s, clip_end_s, path
FROM opportunity_detail AS calls
WHERE answered IS NOT TRUE
    AND ($kind IS NULL OR kind = $kind)
    AND ($agent IS NULL OR agent_id = $agent)
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
ORDER BY started_at DESC, strength DESC, call_id, start_s
LIMIT $n;
