-- Agents' interruptions while the customer tells the story: in the customer's turns early in the call.
-- Interruptions that agree with the customer or complete the phrase are left out.
-- $first_share DOUBLE = 0.5: how much of the call counts as early
-- $min_turn_s DOUBLE = 5: only turns of at least so many seconds are a story
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH picked AS (
    SELECT o.call_id, o.start_s, o.successful, o.turn_index, o.turn_s
    FROM speech_overlaps AS o
    INNER JOIN calls ON calls.call_id = o.call_id
    WHERE o.kind = 'interruption' AND NOT coalesce(o.cooperative, false)
        AND o.entrant_role = 'agent' AND o.holder_role = 'customer'
        AND o.start_s <= calls.duration_s * $first_share
        AND o.turn_s >= $min_turn_s
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    ORDER BY calls.started_at DESC, calls.call_id, o.start_s
    LIMIT $n
)
SELECT
    calls.call_id, calls.started_at, calls.agent_id, picked.start_s AS at_s,
    picked.successful AS customer_gave_way, picked.turn_s, interrupted.text AS customer_words,
    calls.is_simulated, calls.path
FROM picked
INNER JOIN calls ON calls.call_id = picked.call_id
INNER JOIN LATERAL (
    SELECT text FROM turns
    WHERE turns.call_id = picked.call_id AND turns.turn_index = picked.turn_index
) AS interrupted ON true
ORDER BY calls.started_at DESC, calls.call_id, picked.start_s;
