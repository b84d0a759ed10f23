-- The ledger with another threshold than the one it was made with, one row a turn. How a turn was answered
-- is known for every turn, so no call has to be read anew. Of calls in which no model read there is none.
CREATE OR REPLACE MACRO opportunities_at(threshold) AS TABLE
SELECT
    calls.call_id,
    turn_feelings.turn_index,
    CASE greatest(fear_anxiety, anger_frustration, sadness_disappointment)
        WHEN anger_frustration THEN 'anger_frustration'
        WHEN fear_anxiety THEN 'fear_anxiety'
        ELSE 'sadness_disappointment'
    END AS kind,
    turn_feelings.any_negative AS probability,
    turn_feelings.explicit >= turn_feelings.implicit AS is_explicit,
    turn_feelings.start_s,
    turn_feelings.end_s,
    turn_feelings.text,
    turn_feelings.rule,
    turn_feelings.model,
    turn_feelings.answer,
    turn_feelings.level,
    turn_feelings.answer IN ('attentive', 'affective', 'cognitive') AS answered,
    turn_feelings.answer_turn_index,
    turn_feelings.latency_s
FROM facts.turn_feelings
INNER JOIN calls ON calls.call_no = turn_feelings.call_no
WHERE turn_feelings.any_negative >= threshold AND calls.no_ledger_reason IS NULL;

COMMENT ON MACRO TABLE opportunities_at IS 'The opportunity ledger with another threshold, one row a turn: opportunities_at(0.3) has more turns, and more wrong ones. Kinds that only a rule names are in opportunities.';
