-- What the empathy profile is made of, and the weights of its optional index.

ALTER TABLE call_measures ADD COLUMN agent_turns DOUBLE;
ALTER TABLE call_measures ADD COLUMN attentive DOUBLE;
ALTER TABLE call_measures ADD COLUMN cognitive DOUBLE;
ALTER TABLE call_measures ADD COLUMN affective DOUBLE;
ALTER TABLE call_measures ADD COLUMN affective_followed DOUBLE;
ALTER TABLE call_measures ADD COLUMN heated_answers DOUBLE;
COMMENT ON COLUMN call_measures.agent_turns IS 'Turns of the agent (turns).';
COMMENT ON COLUMN call_measures.attentive IS 'Statements of the agent that show having listened (attentive).';
COMMENT ON COLUMN call_measures.cognitive IS 'Statements of the agent that take the customer''s view (cognitive).';
COMMENT ON COLUMN call_measures.affective IS 'Statements of the agent that name, share or acknowledge the feeling (denominator of empathy_to_action).';
COMMENT ON COLUMN call_measures.affective_followed IS 'Of these, those that a commitment follows (numerator of empathy_to_action).';
COMMENT ON COLUMN call_measures.heated_answers IS 'Measured turns of the agent that answer a heated one (observations of steadiness_level_db).';

CREATE TABLE profile_settings (
    name VARCHAR PRIMARY KEY,
    value DOUBLE NOT NULL
);
COMMENT ON TABLE profile_settings IS 'One row a setting of the section [profile] as it was when this was published: the weights of the index are never hidden. Key: name.';
COMMENT ON COLUMN profile_settings.name IS 'The setting; weight_NAME is the weight of the component NAME.';
COMMENT ON COLUMN profile_settings.value IS 'Its value.';
INSERT INTO profile_settings VALUES ('min_reference_calls', 20), ('min_weight_measured', 0.6);
