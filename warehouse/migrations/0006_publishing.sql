-- How the warehouse came about: when it was published, and from which landing files.

CREATE TABLE runs (
    run_id BIGINT PRIMARY KEY,
    started_at TIMESTAMP NOT NULL,
    seconds DOUBLE NOT NULL,
    loaded BIGINT NOT NULL,
    removed BIGINT NOT NULL,
    unchanged BIGINT NOT NULL,
    unreadable BIGINT NOT NULL,
    warmline_version VARCHAR NOT NULL,
    sql_sha256 VARCHAR NOT NULL,
    load_sha256 VARCHAR NOT NULL,
    landing_sha256 VARCHAR NOT NULL,
    definitions_sha256 VARCHAR NOT NULL
);
COMMENT ON TABLE runs IS 'One row a publishing of this warehouse that changed something. Key: run_id.';
COMMENT ON COLUMN runs.run_id IS 'Counts up from 1.';
COMMENT ON COLUMN runs.started_at IS 'When the load began, UTC.';
COMMENT ON COLUMN runs.seconds IS 'How long load and checks took, seconds.';
COMMENT ON COLUMN runs.loaded IS 'Calls loaded, new and changed.';
COMMENT ON COLUMN runs.removed IS 'Calls removed because their analysis is gone or superseded.';
COMMENT ON COLUMN runs.unchanged IS 'Calls left as they were.';
COMMENT ON COLUMN runs.unreadable IS 'Landing files that could not be read.';
COMMENT ON COLUMN runs.warmline_version IS 'Version of warmline that published.';
COMMENT ON COLUMN runs.sql_sha256 IS 'Digest of migrations, load statements, views and checks.';
COMMENT ON COLUMN runs.load_sha256 IS 'Digest of the load statements; another one means that all calls are loaded again.';
COMMENT ON COLUMN runs.landing_sha256 IS 'Digest of the list of landing files.';
COMMENT ON COLUMN runs.definitions_sha256 IS 'Digest of the metric definitions.';

CREATE SCHEMA landing;
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
