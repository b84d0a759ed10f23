-- Which landing folder the warehouse is built from, so that no command takes another for it.

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
