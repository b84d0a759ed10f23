-- What the empathy profile is made with, and the weights of its optional index.

CREATE TABLE profile_settings (
    name VARCHAR PRIMARY KEY,
    value DOUBLE NOT NULL
);
COMMENT ON TABLE profile_settings IS 'One row a setting of the section [profile] as it was when this was published: the weights of the index are never hidden. Key: name.';
COMMENT ON COLUMN profile_settings.name IS 'The setting; weight_NAME is the weight of the component NAME.';
COMMENT ON COLUMN profile_settings.value IS 'Its value.';
INSERT INTO profile_settings VALUES ('min_reference_calls', 20), ('min_weight_measured', 0.6);
