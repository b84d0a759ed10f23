CREATE TABLE facts.moments (
    call_no INTEGER NOT NULL,
    moment_index BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    label VARCHAR,
    turn_index BIGINT NOT NULL,
    party VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    text VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    strength DOUBLE NOT NULL
);
COMMENT ON VIEW moments IS 'One row a thing said that a rule or model recognised. Key: call_id, moment_index.';
COMMENT ON COLUMN moments.moment_index IS 'Place of the moment in the call, from 0.';
COMMENT ON COLUMN moments.kind IS 'What it is: cue, affective, apology, question_open, commitment, offer, friction_repeat, ...';
COMMENT ON COLUMN moments.label IS 'Refines the kind; of a cue: fear_anxiety, anger_frustration, ...';
COMMENT ON COLUMN moments.turn_index IS 'The turn it is in (turns.turn_index).';
COMMENT ON COLUMN moments.party IS 'Who said it (parties.party).';
COMMENT ON COLUMN moments.role IS 'Role of that party.';
COMMENT ON COLUMN moments.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN moments.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN moments.text IS 'The words.';
COMMENT ON COLUMN moments.rule IS 'The rule or model that recognised it.';
COMMENT ON COLUMN moments.strength IS 'How strong or sure it is, 0..1.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.moments BY NAME
WITH listed AS (
    SELECT
        call_no,
        unnest(empathy.moments) AS x,
        generate_subscripts(empathy.moments, 1) - 1 AS moment_index
    FROM staged
)
SELECT
    call_no,
    moment_index,
    x.kind,
    x.label,
    x.turn_index,
    x.party,
    x.role,
    x.start_s,
    x.end_s,
    x.text,
    x.rule,
    x.strength
FROM listed;
