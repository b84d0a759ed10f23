CREATE TABLE facts.turn_empathy (
    call_no INTEGER NOT NULL,
    turn_index BIGINT NOT NULL,
    empathy DOUBLE NOT NULL,
    affective DOUBLE NOT NULL,
    attentive DOUBLE NOT NULL,
    cognitive DOUBLE NOT NULL,
    dismissive DOUBLE NOT NULL,
    emotional_reaction DOUBLE,
    interpretation DOUBLE,
    exploration DOUBLE
);
COMMENT ON VIEW turn_empathy IS 'One row an agent''s turn with words in English: what score_turns gives of it. Not calibrated on service calls. Key: call_id, turn_index.';
COMMENT ON COLUMN turn_empathy.turn_index IS 'The agent''s turn (turns.turn_index).';
COMMENT ON COLUMN turn_empathy.empathy IS 'How much empathy the words show, 0..1; from models and rules together, from rules alone where no model read.';
COMMENT ON COLUMN turn_empathy.affective IS 'How sure rules are that it names, shares or acknowledges a feeling, 0..1.';
COMMENT ON COLUMN turn_empathy.attentive IS 'How sure rules are that it shows having listened, 0..1.';
COMMENT ON COLUMN turn_empathy.cognitive IS 'How sure rules are that it takes the customer''s view or explains cause or plan, 0..1.';
COMMENT ON COLUMN turn_empathy.dismissive IS 'How sure rules are that it waves a concern away, 0..1.';
COMMENT ON COLUMN turn_empathy.emotional_reaction IS 'Probability of warmth, compassion or concern (EPITOME), 0..1; NULL where no model read.';
COMMENT ON COLUMN turn_empathy.interpretation IS 'Probability that it conveys understanding (EPITOME), 0..1; NULL where no model read.';
COMMENT ON COLUMN turn_empathy.exploration IS 'Probability that it asks after feelings or experiences (EPITOME), 0..1; NULL where no model read.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.turn_empathy BY NAME
WITH listed AS (
    SELECT
        call_no,
        unnest(empathy.agent_turns) AS x
    FROM staged
)
SELECT
    call_no,
    x.turn_index,
    x.empathy,
    x.affective,
    x.attentive,
    x.cognitive,
    x.dismissive,
    x.emotional_reaction,
    x.interpretation,
    x.exploration
FROM listed;
