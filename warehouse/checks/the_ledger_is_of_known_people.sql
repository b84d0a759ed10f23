-- A cue is in a customer's turn, its answer in an agent's; without known people there is no ledger.
SELECT o.call_id, o.opportunity_index
FROM opportunities AS o
LEFT JOIN turns AS asked ON asked.call_id = o.call_id AND asked.turn_index = o.turn_index
LEFT JOIN turns AS replied
    ON replied.call_id = o.call_id AND replied.turn_index = o.answer_turn_index
LEFT JOIN calls ON calls.call_id = o.call_id
WHERE asked.role <> 'customer' OR replied.role <> 'agent' OR calls.no_ledger_reason IS NOT NULL;
