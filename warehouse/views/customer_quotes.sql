CREATE VIEW customer_quotes AS
SELECT
    calls.call_id,
    quotes.quote_index,
    quotes.text,
    quotes.cue,
    quotes.start_s,
    quotes.end_s,
    calls.started_at,
    calls.agent_id,
    calls.team,
    calls.queue,
    calls.customer_id,
    calls.contact_reason,
    calls.path,
    calls.is_simulated
FROM facts.quotes
INNER JOIN calls ON calls.call_no = quotes.call_no;

COMMENT ON VIEW customer_quotes IS 'One row a sentence of a customer worth reading, with the call it is from.';
COMMENT ON COLUMN customer_quotes.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN customer_quotes.text IS 'The customer''s own words.';
COMMENT ON COLUMN customer_quotes.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN customer_quotes.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN customer_quotes.started_at IS 'When the call began, UTC; NULL when the metadata does not say.';
COMMENT ON COLUMN customer_quotes.agent_id IS 'Who took the call, from the metadata.';
COMMENT ON COLUMN customer_quotes.team IS 'The agent''s team, from the metadata.';
COMMENT ON COLUMN customer_quotes.customer_id IS 'Who called, from the metadata.';
COMMENT ON COLUMN customer_quotes.path IS 'Where the recording lay when it was analyzed.';
COMMENT ON COLUMN customer_quotes.is_simulated IS 'True for calls made by warmline simulate.';
