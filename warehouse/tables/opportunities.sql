CREATE TABLE facts.opportunities (
    call_no INTEGER NOT NULL,
    opportunity_index BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    strength DOUBLE NOT NULL,
    probability DOUBLE,
    is_explicit BOOLEAN,
    turn_index BIGINT NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    text VARCHAR NOT NULL,
    rule VARCHAR NOT NULL,
    answer VARCHAR,
    level BIGINT,
    answered BOOLEAN,
    answer_turn_index BIGINT,
    answer_start_s DOUBLE,
    answer_end_s DOUBLE,
    answer_text VARCHAR,
    answer_rule VARCHAR,
    latency_s DOUBLE,
    heard_by VARCHAR,
    heard_by_agent BIGINT,
    answer_is_explicit BOOLEAN,
    answer_gives_space BOOLEAN
);
COMMENT ON VIEW opportunities IS 'The ledger. One row a customer''s cue and how the agent answered it. Key: call_id, opportunity_index.';
COMMENT ON COLUMN opportunities.opportunity_index IS 'Place of the cue in the call, from 0.';
COMMENT ON COLUMN opportunities.kind IS 'fear_anxiety, anger_frustration, sadness_disappointment or confusion_powerlessness.';
COMMENT ON COLUMN opportunities.strength IS 'How strong or sure the cue is, 0..1.';
COMMENT ON COLUMN opportunities.probability IS 'Probability of a feeling in the turn (turn_feelings.any_negative; of confusion, for its rows); NULL where no model read the words.';
COMMENT ON COLUMN opportunities.is_explicit IS 'Whether the feeling is put into words (a concern) or hinted at (a cue); NULL where no model read the words.';
COMMENT ON COLUMN opportunities.turn_index IS 'The customer''s turn (turns.turn_index).';
COMMENT ON COLUMN opportunities.start_s IS 'Start of the cue, seconds on the call''s clock.';
COMMENT ON COLUMN opportunities.end_s IS 'End of the cue, seconds on the call''s clock.';
COMMENT ON COLUMN opportunities.text IS 'The customer''s words.';
COMMENT ON COLUMN opportunities.rule IS 'The rule or model that recognised the cue.';
COMMENT ON COLUMN opportunities.answer IS 'ignored, dismissed, minimal_acknowledgement (sorry in passing), problem_solved_only, attentive, affective or cognitive; NULL when no agent turn followed.';
COMMENT ON COLUMN opportunities.level IS 'Depth of the answer, 0..2.';
COMMENT ON COLUMN opportunities.answered IS 'Whether the answer is attentive, affective or cognitive; NULL when no agent turn followed.';
COMMENT ON COLUMN opportunities.answer_turn_index IS 'The agent''s turn that answers (turns.turn_index).';
COMMENT ON COLUMN opportunities.answer_start_s IS 'Start of the answer, seconds on the call''s clock.';
COMMENT ON COLUMN opportunities.answer_end_s IS 'End of the answer, seconds on the call''s clock.';
COMMENT ON COLUMN opportunities.answer_text IS 'The agent''s words.';
COMMENT ON COLUMN opportunities.answer_rule IS 'The rule or model that judged the answer.';
COMMENT ON COLUMN opportunities.latency_s IS 'From the end of the cue to the start of the answering turn, or of the answering words where that turn had begun before, seconds; never negative.';
COMMENT ON COLUMN opportunities.heard_by IS 'The agent''s party who was on the line when the cue was said (parties.party): another agent''s answer is neither credit nor charge. NULL where no agent spoke, and for calls analyzed before it was known.';
COMMENT ON COLUMN opportunities.heard_by_agent IS 'Which of the call''s agents that is, from 1 as they come: two desks may speak as one party (calls.agents). NULL where heard_by is, and for calls analyzed before it was known.';
COMMENT ON COLUMN opportunities.answer_is_explicit IS 'VR-CoDES: whether the answer takes up the words or the matter of the cue; NULL where answer is, and for calls analyzed before it was known.';
COMMENT ON COLUMN opportunities.answer_gives_space IS 'VR-CoDES: true when the answer gives space (explores, acknowledges, empathises), false when it reduces it (ignores, switches, advises, informs, postpones, blocks); NULL where answer is, and for calls analyzed before it was known.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.opportunities BY NAME
WITH listed AS (
    SELECT
        call_no,
        unnest(empathy.opportunities) AS x,
        generate_subscripts(empathy.opportunities, 1) - 1 AS opportunity_index
    FROM staged
)
SELECT
    call_no,
    opportunity_index,
    x.kind,
    x.strength,
    x.turn_index,
    x.start_s,
    x.end_s,
    x.text,
    x.rule,
    x.answer,
    x.level,
    x.answer IN ('attentive', 'affective', 'cognitive') AS answered,
    x.answer_turn_index,
    x.answer_start_s,
    x.answer_end_s,
    x.answer_text,
    x.answer_rule,
    x.latency_s,
    x.probability,
    x.is_explicit,
    x.heard_by,
    x.heard_by_agent,
    x.answer_is_explicit,
    x.answer_gives_space
FROM listed;
