-- Feelings that customers showed and agents did not answer, with the words and what reviewers say of them.
-- $kind VARCHAR = NULL: only cues of this kind: fear_anxiety, anger_frustration, ...
-- $agent VARCHAR = NULL: only calls of this agent
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH picked AS (
    SELECT o.call_id, o.opportunity_index
    FROM opportunities AS o
    INNER JOIN calls ON calls.call_id = o.call_id
    WHERE o.answered IS NOT TRUE
        AND ($kind IS NULL OR o.kind = $kind)
        AND ($agent IS NULL OR sole_agent(calls.agent_id, calls.agents) = $agent)
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    ORDER BY calls.started_at DESC, o.strength DESC, calls.call_id, o.start_s
    LIMIT $n
)
SELECT
    calls.call_id, calls.started_at, sole_agent(calls.agent_id, calls.agents) AS agent_id, o.kind,
    o.start_s, sentence_with(told.text, o.text) AS customer_words,
    o.answer, coalesce(replied.text, '') AS agent_words,
    greatest(o.start_s - 2, 0) AS clip_start_s,
    least(coalesce(o.answer_end_s, o.end_s) + 2, calls.duration_s) AS clip_end_s,
    calls.is_simulated,
    reviewed.verdict AS review_verdict, reviewed.should_be AS review_should_be,
    reviewed.remarks AS review_remarks, calls.path
FROM picked
INNER JOIN calls ON calls.call_id = picked.call_id
INNER JOIN LATERAL (
    SELECT * FROM opportunities AS o
    WHERE o.call_id = picked.call_id AND o.opportunity_index = picked.opportunity_index
) AS o ON true
LEFT JOIN review_summary AS reviewed
    ON reviewed.subject = 'cue' AND reviewed.call_id = picked.call_id
    AND reviewed.opportunity_index = picked.opportunity_index
LEFT JOIN LATERAL (
    SELECT text FROM turns
    WHERE turns.call_id = picked.call_id AND turns.turn_index = o.answer_turn_index
) AS replied ON true
LEFT JOIN LATERAL (
    SELECT text FROM turns
    WHERE turns.call_id = picked.call_id AND turns.turn_index = o.turn_index
) AS told ON true
ORDER BY calls.started_at DESC, o.strength DESC, calls.call_id, o.start_s;
