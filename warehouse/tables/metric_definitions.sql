-- What each measure means.

CREATE TABLE metric_definitions (
    name VARCHAR NOT NULL,
    version BIGINT NOT NULL,
    level VARCHAR NOT NULL,
    unit VARCHAR NOT NULL,
    definition VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    validated VARCHAR NOT NULL,
    is_current BOOLEAN NOT NULL,
    PRIMARY KEY (name, version)
);
COMMENT ON TABLE metric_definitions IS 'One row a version of a measure. Earlier versions stay as long as values of them do. Key: name, version.';
COMMENT ON COLUMN metric_definitions.name IS 'Name of the measure (metrics.name).';
COMMENT ON COLUMN metric_definitions.version IS 'Rises whenever the same call could get another value.';
COMMENT ON COLUMN metric_definitions.level IS 'party (one value a party) or call (one value a call).';
COMMENT ON COLUMN metric_definitions.unit IS 'Unit of the value: s, share, count, per_min, dB, ...';
COMMENT ON COLUMN metric_definitions.definition IS 'What is measured.';
COMMENT ON COLUMN metric_definitions.source IS 'Where the definition comes from.';
COMMENT ON COLUMN metric_definitions.validated IS 'Against what it was validated, or no.';
COMMENT ON COLUMN metric_definitions.is_current IS 'Whether calls analyzed today get this version.';
