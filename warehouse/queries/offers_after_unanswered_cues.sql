-- Sales offers made soon after a feeling that had not been answered.
-- $turns INTEGER = 4: at most so many turns after the cue
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH picked AS (
    SELECT offer.call_id, offer.moment_index, cue.opportunity_index
    FROM moments AS offer
    INNER JOIN opportunities AS cue
        ON cue.call_id = offer.call_id
        AND offer.start_s >= cue.end_s AND offer.turn_index - cue.turn_index <= $turns
        AND (cue.answered IS NOT TRUE OR cue.answer_start_s > offer.start_s)
    INNER JOIN calls ON calls.call_id = offer.call_id
    WHERE offer.kind = 'offer' AND offer.role = 'agent'
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    ORDER BY calls.started_at DESC, calls.call_id, offer.start_s, cue.start_s
    LIMIT $n
)
SELECT
    calls.call_id, calls.started_at, sole_agent(calls.agent_id, calls.agents) AS agent_id, cue.kind, cue.start_s AS cue_at_s,
    sentence_with(told.text, cue.text) AS customer_words, offer.start_s AS offer_at_s, offer.text AS offer_words,
    calls.is_simulated, calls.path
FROM picked
INNER JOIN calls ON calls.call_id = picked.call_id
INNER JOIN LATERAL (
    SELECT * FROM moments
    WHERE moments.call_id = picked.call_id AND moments.moment_index = picked.moment_index
) AS offer ON true
INNER JOIN LATERAL (
    SELECT * FROM opportunities AS o
    WHERE o.call_id = picked.call_id AND o.opportunity_index = picked.opportunity_index
) AS cue ON true
LEFT JOIN LATERAL (
    SELECT text FROM turns
    WHERE turns.call_id = picked.call_id AND turns.turn_index = cue.turn_index
) AS told ON true
ORDER BY calls.started_at DESC, calls.call_id, offer.start_s, cue.start_s;
