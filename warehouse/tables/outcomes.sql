-- What became of customers after their calls, as it was given.

CREATE TABLE outcomes (
    customer_id VARCHAR,
    given_call_id VARCHAR,
    name VARCHAR NOT NULL,
    occurred_at TIMESTAMP,
    is_whole_day BOOLEAN NOT NULL,
    value DOUBLE,
    text VARCHAR,
    source VARCHAR NOT NULL,
    line BIGINT NOT NULL,
    loaded_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE outcomes IS 'One row a thing that became of a customer, also of customers without a call; the view outcome_calls ties it to a call. Key: customer_id, given_call_id, name, occurred_at, is_whole_day.';
COMMENT ON COLUMN outcomes.customer_id IS 'Whose outcome it is (calls.customer_id); NULL when only a call is given.';
COMMENT ON COLUMN outcomes.given_call_id IS 'The call that the file names; NULL when it names none.';
COMMENT ON COLUMN outcomes.name IS 'What it is: retained (1 stayed, 0 left), nps, csat, review_stars, repeat_purchase, or any other name.';
COMMENT ON COLUMN outcomes.occurred_at IS 'When it was so, UTC; NULL when only a call is given.';
COMMENT ON COLUMN outcomes.is_whole_day IS 'Whether only the day is known, of which occurred_at is the beginning.';
COMMENT ON COLUMN outcomes.value IS 'The outcome as a number; yes is 1 and no is 0.';
COMMENT ON COLUMN outcomes.text IS 'The outcome as it was written, where it is no number.';
COMMENT ON COLUMN outcomes.source IS 'Name of the file that it was loaded from.';
COMMENT ON COLUMN outcomes.line IS 'Line in that file.';
COMMENT ON COLUMN outcomes.loaded_at IS 'When it was loaded, UTC; of an outcome that was loaded again with another value, the last time.';
