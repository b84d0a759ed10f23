-- What has landed, as it was when last read, and in which landing folder.

CREATE SCHEMA landing;

CREATE TABLE landing.folder (
    landing_id VARCHAR,
    relative_path VARCHAR NOT NULL,
    absolute_path VARCHAR NOT NULL,
    noted_at TIMESTAMP NOT NULL
);
COMMENT ON TABLE landing.folder IS 'One row: the landing folder that this warehouse was last built from.';
COMMENT ON COLUMN landing.folder.landing_id IS 'The folder''s own id, which it keeps when it is moved or copied (landing.json in it); NULL where it could not be given one.';
COMMENT ON COLUMN landing.folder.relative_path IS 'Where it lay, seen from the folder of the warehouse.';
COMMENT ON COLUMN landing.folder.absolute_path IS 'Where it lay.';
COMMENT ON COLUMN landing.folder.noted_at IS 'When this was noted, UTC.';

CREATE TABLE landing.files (
    file VARCHAR PRIMARY KEY,
    stamp VARCHAR NOT NULL,
    problem VARCHAR
);
COMMENT ON TABLE landing.files IS 'One row a landing file as it was when last read. Key: file.';
COMMENT ON COLUMN landing.files.file IS 'Name inside the landing folder.';
COMMENT ON COLUMN landing.files.stamp IS 'Changes whenever the file is written.';
COMMENT ON COLUMN landing.files.problem IS 'Why the file cannot be read; NULL when it can.';

CREATE TABLE landing.entries (
    file VARCHAR NOT NULL,
    landing_key VARCHAR NOT NULL,
    content_sha256 VARCHAR NOT NULL,
    analyzed_at TIMESTAMPTZ NOT NULL,
    modified_at TIMESTAMPTZ NOT NULL,
    path VARCHAR NOT NULL,
    call_id VARCHAR NOT NULL
);
COMMENT ON TABLE landing.entries IS 'One row an analysis in a landing file, also of those that a newer one supersedes. Key: file, landing_key.';
COMMENT ON COLUMN landing.entries.file IS 'The file (landing.files.file).';
COMMENT ON COLUMN landing.entries.landing_key IS 'What the analysis is filed under.';
COMMENT ON COLUMN landing.entries.content_sha256 IS 'Digest of the analysis.';
COMMENT ON COLUMN landing.entries.analyzed_at IS 'When the analysis was made.';
COMMENT ON COLUMN landing.entries.modified_at IS 'When the recording was last written.';
COMMENT ON COLUMN landing.entries.path IS 'Where the recording lay.';
COMMENT ON COLUMN landing.entries.call_id IS 'The call id that the metadata claims.';

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

CREATE TABLE landing.review_files (
    file VARCHAR PRIMARY KEY,
    stamp VARCHAR NOT NULL,
    problem VARCHAR
);
COMMENT ON TABLE landing.review_files IS 'One row a landed review as it was when last read. Key: file.';
COMMENT ON COLUMN landing.review_files.file IS 'Name inside the landing folder.';
COMMENT ON COLUMN landing.review_files.stamp IS 'Changes whenever the file is written.';
COMMENT ON COLUMN landing.review_files.problem IS 'Why the file cannot be read; NULL when it can.';

CREATE TABLE landing.evaluation_files (
    file VARCHAR PRIMARY KEY,
    stamp VARCHAR NOT NULL,
    problem VARCHAR
);
COMMENT ON TABLE landing.evaluation_files IS 'One row a landed status of an evaluation as it was when last read. Key: file.';
COMMENT ON COLUMN landing.evaluation_files.file IS 'Name inside the landing folder.';
COMMENT ON COLUMN landing.evaluation_files.stamp IS 'Changes whenever the file is written.';
COMMENT ON COLUMN landing.evaluation_files.problem IS 'Why the file cannot be read; NULL when it can.';
