-- What people who listened say of the machine's word.

CREATE TABLE reviews (
    review_id VARCHAR PRIMARY KEY,
    reviewed_at TIMESTAMP NOT NULL,
    reviewer VARCHAR NOT NULL,
    given_call_id VARCHAR NOT NULL,
    landing_key VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    role VARCHAR,
    start_s DOUBLE,
    end_s DOUBLE,
    machine_said VARCHAR,
    verdict VARCHAR NOT NULL,
    should_be VARCHAR,
    reason VARCHAR
);
COMMENT ON TABLE reviews IS 'One row a judgement of a person on a row of the ledger or a measure, as it was given; the view review_detail has it beside what the machine says now. Key: review_id.';
COMMENT ON COLUMN reviews.review_id IS 'Name of the review in the landing folder.';
COMMENT ON COLUMN reviews.reviewed_at IS 'When it was given, UTC.';
COMMENT ON COLUMN reviews.reviewer IS 'Who gave it.';
COMMENT ON COLUMN reviews.given_call_id IS 'The call as it was called then.';
COMMENT ON COLUMN reviews.landing_key IS 'The recording that was listened to (calls.landing_key); the same after every reprocessing.';
COMMENT ON COLUMN reviews.subject IS 'cue (a row of the ledger) or metric.';
COMMENT ON COLUMN reviews.name IS 'Kind of the cue (opportunities.kind) or name of the measure (metrics.name).';
COMMENT ON COLUMN reviews.role IS 'Of a measure of one party: agent or customer; else NULL.';
COMMENT ON COLUMN reviews.start_s IS 'Of a cue: its start, seconds on the call''s clock. With name and end_s it finds the row again.';
COMMENT ON COLUMN reviews.end_s IS 'Of a cue: its end, seconds on the call''s clock.';
COMMENT ON COLUMN reviews.machine_said IS 'What the machine said then: the answer to the cue, or the value; NULL when it could not say.';
COMMENT ON COLUMN reviews.verdict IS 'right or wrong, or withdrawn: then what this reviewer said before counts no more.';
COMMENT ON COLUMN reviews.should_be IS 'What it should be: an answer, another feeling, both with + between, no_cue, a value, or cannot_be_known; NULL when the reviewer did not say.';
COMMENT ON COLUMN reviews.reason IS 'Why, in the reviewer''s words.';
