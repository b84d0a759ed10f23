-- A moment, a cue, an answer or a quote is in a turn that is there.
SELECT 'moments.turn_index' AS column_name, t.call_id, t.turn_index FROM moments AS t
ANTI JOIN turns ON turns.call_id = t.call_id AND turns.turn_index = t.turn_index
UNION ALL
SELECT 'opportunities.turn_index', t.call_id, t.turn_index FROM opportunities AS t
ANTI JOIN turns ON turns.call_id = t.call_id AND turns.turn_index = t.turn_index
UNION ALL
SELECT 'opportunities.answer_turn_index', t.call_id, t.answer_turn_index FROM opportunities AS t
ANTI JOIN turns ON turns.call_id = t.call_id AND turns.turn_index = t.answer_turn_index WHERE t.answer_turn_index IS NOT NULL
UNION ALL
SELECT 'turn_feelings.turn_index', t.call_id, t.turn_index FROM turn_feelings AS t
ANTI JOIN turns ON turns.call_id = t.call_id AND turns.turn_index = t.turn_index
UNION ALL
SELECT 'turn_empathy.turn_index', t.call_id, t.turn_index FROM turn_empathy AS t
ANTI JOIN turns ON turns.call_id = t.call_id AND turns.turn_index = t.turn_index
UNION ALL
SELECT 'quotes.turn_index', t.call_id, t.turn_index FROM quotes AS t
ANTI JOIN turns ON turns.call_id = t.call_id AND turns.turn_index = t.turn_index
UNION ALL
SELECT 'words.turn_index', t.call_id, t.turn_index FROM words AS t
ANTI JOIN turns ON turns.call_id = t.call_id AND turns.turn_index = t.turn_index WHERE t.turn_index IS NOT NULL;
