CREATE TABLE facts.quotes (
    call_no INTEGER NOT NULL,
    quote_index BIGINT NOT NULL,
    turn_index BIGINT NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    text VARCHAR NOT NULL,
    cue VARCHAR NOT NULL
);
COMMENT ON VIEW quotes IS 'One row a sentence of the customer worth reading, verbatim. Key: call_id, quote_index.';
COMMENT ON COLUMN quotes.quote_index IS 'Place of the quote in the call, from 0.';
COMMENT ON COLUMN quotes.turn_index IS 'The turn it is from (turns.turn_index).';
COMMENT ON COLUMN quotes.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN quotes.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN quotes.text IS 'The customer''s own words.';
COMMENT ON COLUMN quotes.cue IS 'What makes them worth reading.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.quotes BY NAME
WITH listed AS (
    SELECT
        call_no,
        unnest(empathy.quotes) AS x,
        generate_subscripts(empathy.quotes, 1) - 1 AS quote_index
    FROM staged
)
SELECT
    call_no,
    quote_index,
    x.turn_index,
    x.start_s,
    x.end_s,
    x.text,
    x.cue
FROM listed;
