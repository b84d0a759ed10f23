-- How the warehouse came about: when it was published, and from what tables were worked out.

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
    tables_sha256 VARCHAR,
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
COMMENT ON COLUMN runs.sql_sha256 IS 'Digest of all SQL: tables, marts, macros, views and checks.';
COMMENT ON COLUMN runs.tables_sha256 IS 'Digest of the tables as they are made and loaded; another one means that the warehouse is built anew from the landing folder. NULL for publishings before there was one.';
COMMENT ON COLUMN runs.landing_sha256 IS 'Digest of the list of landing files.';
COMMENT ON COLUMN runs.definitions_sha256 IS 'Digest of the metric definitions.';

CREATE TABLE marts (
    name VARCHAR PRIMARY KEY,
    sha256 VARCHAR NOT NULL
);
COMMENT ON TABLE marts IS 'One row a table that is worked out from other tables (warehouse/marts). Key: name.';
COMMENT ON COLUMN marts.name IS 'The table.';
COMMENT ON COLUMN marts.sha256 IS 'Digest of the SQL that filled it; another one means it is filled anew.';
