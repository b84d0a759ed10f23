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

CREATE TABLE landing.outcome_files (
    file VARCHAR PRIMARY KEY,
    stamp VARCHAR NOT NULL,
    problem VARCHAR
);
COMMENT ON TABLE landing.outcome_files IS 'One row a landed file of outcomes as it was when last read. Key: file.';
COMMENT ON COLUMN landing.outcome_files.file IS 'Name inside the landing folder.';
COMMENT ON COLUMN landing.outcome_files.stamp IS 'Changes whenever the file is written.';
COMMENT ON COLUMN landing.outcome_files.problem IS 'Why the file cannot be read; NULL when it can.';

CREATE TABLE landing.outcome_lines (
    file VARCHAR NOT NULL,
    line BIGINT NOT NULL,
    name VARCHAR NOT NULL,
    customer_id VARCHAR,
    given_call_id VARCHAR,
    occurred_at TIMESTAMP,
    is_whole_day BOOLEAN NOT NULL,
    value DOUBLE,
    text VARCHAR,
    problem VARCHAR,
    source VARCHAR NOT NULL,
    loaded_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE landing.outcome_lines IS 'One row an outcome in a landed file, also of those that a later one corrects and of lines that could not be read.';
COMMENT ON COLUMN landing.outcome_lines.file IS 'The file (landing.outcome_files.file).';
COMMENT ON COLUMN landing.outcome_lines.line IS 'Line in the file that was loaded.';
COMMENT ON COLUMN landing.outcome_lines.name IS 'What it is.';
COMMENT ON COLUMN landing.outcome_lines.customer_id IS 'Whose outcome it is.';
COMMENT ON COLUMN landing.outcome_lines.given_call_id IS 'The call that the file names.';
COMMENT ON COLUMN landing.outcome_lines.occurred_at IS 'When it was so, UTC.';
COMMENT ON COLUMN landing.outcome_lines.is_whole_day IS 'Whether only the day is known.';
COMMENT ON COLUMN landing.outcome_lines.value IS 'The outcome as a number.';
COMMENT ON COLUMN landing.outcome_lines.text IS 'The outcome as it was written, where it is no number.';
COMMENT ON COLUMN landing.outcome_lines.problem IS 'Why the line could not be read; NULL when it could.';
COMMENT ON COLUMN landing.outcome_lines.source IS 'Name of the file that was loaded.';
COMMENT ON COLUMN landing.outcome_lines.loaded_at IS 'When it was loaded, UTC.';
