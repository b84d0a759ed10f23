-- Outcomes with the call that each is tied to, as a table: to look for the last call before each of
-- some hundred thousand outcomes takes too long for a question.

CREATE TABLE outcome_calls (
    name VARCHAR NOT NULL,
    value DOUBLE,
    text VARCHAR,
    customer_id VARCHAR,
    given_call_id VARCHAR,
    occurred_at TIMESTAMP,
    is_whole_day BOOLEAN NOT NULL,
    at_latest TIMESTAMP,
    call_id VARCHAR,
    call_no INTEGER,
    started_at TIMESTAMP,
    days_after DOUBLE,
    agent_id VARCHAR,
    is_simulated BOOLEAN,
    unmatched_reason VARCHAR,
    source VARCHAR NOT NULL,
    line BIGINT NOT NULL
);
COMMENT ON TABLE outcome_calls IS 'One row an outcome with the call it is tied to: the one that is given, else the customer''s last analyzed call before it. A call that is analyzed later is found, too.';
COMMENT ON COLUMN outcome_calls.name IS 'What it is (outcomes.name).';
COMMENT ON COLUMN outcome_calls.value IS 'The outcome as a number.';
COMMENT ON COLUMN outcome_calls.text IS 'The outcome as it was written, where it is no number.';
COMMENT ON COLUMN outcome_calls.customer_id IS 'Whose outcome it is; NULL when only a call is given.';
COMMENT ON COLUMN outcome_calls.given_call_id IS 'The call that the file names; NULL when it names none.';
COMMENT ON COLUMN outcome_calls.occurred_at IS 'When it was so, UTC.';
COMMENT ON COLUMN outcome_calls.is_whole_day IS 'Whether only the day is known.';
COMMENT ON COLUMN outcome_calls.at_latest IS 'The last moment that it can mean: the end of the day where only the day is known, UTC.';
COMMENT ON COLUMN outcome_calls.call_id IS 'The call it is tied to; NULL when there is none.';
COMMENT ON COLUMN outcome_calls.call_no IS 'Number of that call (calls.call_no).';
COMMENT ON COLUMN outcome_calls.started_at IS 'When that call began, UTC.';
COMMENT ON COLUMN outcome_calls.days_after IS 'From the beginning of the call to at_latest, days.';
COMMENT ON COLUMN outcome_calls.agent_id IS 'Who took that call.';
COMMENT ON COLUMN outcome_calls.is_simulated IS 'Whether that call was made by warmline simulate.';
COMMENT ON COLUMN outcome_calls.unmatched_reason IS 'Why there is no call; NULL when there is one.';
COMMENT ON COLUMN outcome_calls.source IS 'Name of the file that it was loaded from.';
COMMENT ON COLUMN outcome_calls.line IS 'Line in that file.';
