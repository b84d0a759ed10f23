-- Feelings that customers showed and agents did not answer, with the words.
-- $kind VARCHAR = NULL: only cues of this kind: fear_anxiety, anger_frustration, ...
-- $agent VARCHAR = NULL: only calls of this agent
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH picked AS (
    SELECT o.call_no, o.opportunity_index
    FROM opportunities AS o
    INNER JOIN calls ON calls.call_no = o.call_no
    WHERE o.answered IS NOT TRUE
        AND ($kind IS NULL OR o.kind = $kind)
        AND ($agent IS NULL OR calls.agent_id = $agent)
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    ORDER BY calls.started_at DESC, o.strength DESC, calls.call_id, o.start_s
    LIMIT $n
)
SELECT
    calls.call_id, calls.started_at, calls.agent_id, o.kind, o.start_s, o.text AS customer_words,
    o.answer, coalesce(replied.text, '') AS agent_words,
    greatest(o.start_s - 2, 0) AS clip_start_s,
    least(coalesce(o.answer_end_s, o.end_s) + 2, calls.duration_s) AS clip_end_s,
    calls.path
FROM picked
INNER JOIN opportunities AS o USING (call_no, opportunity_index)
INNER JOIN calls ON calls.call_no = o.call_no
LEFT JOIN turns AS replied
    ON replied.call_no = o.call_no AND replied.turn_index = o.answer_turn_index
ORDER BY calls.started_at DESC, o.strength DESC, calls.call_id, o.start_s;
