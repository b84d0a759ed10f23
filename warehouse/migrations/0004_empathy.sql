-- What was expressed, whether it was answered, and the customer's own words.

CREATE TABLE moments (
    call_id VARCHAR NOT NULL,
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
COMMENT ON TABLE moments IS 'One row a thing said that a rule or model recognised. Key: call_id, moment_index.';
COMMENT ON COLUMN moments.call_id IS 'The call (calls.call_id).';
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

CREATE TABLE opportunities (
    call_id VARCHAR NOT NULL,
    opportunity_index BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    strength DOUBLE NOT NULL,
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
    latency_s DOUBLE
);
COMMENT ON TABLE opportunities IS 'The ledger. One row a customer''s cue and how the agent answered it. Key: call_id, opportunity_index.';
COMMENT ON COLUMN opportunities.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN opportunities.opportunity_index IS 'Place of the cue in the call, from 0.';
COMMENT ON COLUMN opportunities.kind IS 'fear_anxiety, anger_frustration, sadness_disappointment or confusion_powerlessness.';
COMMENT ON COLUMN opportunities.strength IS 'How strong or sure the cue is, 0..1.';
COMMENT ON COLUMN opportunities.turn_index IS 'The customer''s turn (turns.turn_index).';
COMMENT ON COLUMN opportunities.start_s IS 'Start of the cue, seconds on the call''s clock.';
COMMENT ON COLUMN opportunities.end_s IS 'End of the cue, seconds on the call''s clock.';
COMMENT ON COLUMN opportunities.text IS 'The customer''s words.';
COMMENT ON COLUMN opportunities.rule IS 'The rule or model that recognised the cue.';
COMMENT ON COLUMN opportunities.answer IS 'ignored, dismissed, problem_solved_only, attentive, affective or cognitive; NULL when no agent turn followed.';
COMMENT ON COLUMN opportunities.level IS 'Depth of the answer, 0..2.';
COMMENT ON COLUMN opportunities.answered IS 'Whether the answer is attentive, affective or cognitive; NULL when no agent turn followed.';
COMMENT ON COLUMN opportunities.answer_turn_index IS 'The agent''s turn that answers (turns.turn_index).';
COMMENT ON COLUMN opportunities.answer_start_s IS 'Start of the answer, seconds on the call''s clock.';
COMMENT ON COLUMN opportunities.answer_end_s IS 'End of the answer, seconds on the call''s clock.';
COMMENT ON COLUMN opportunities.answer_text IS 'The agent''s words.';
COMMENT ON COLUMN opportunities.answer_rule IS 'The rule or model that judged the answer.';
COMMENT ON COLUMN opportunities.latency_s IS 'From the end of the cue to the start of the answering turn, seconds.';

CREATE TABLE quotes (
    call_id VARCHAR NOT NULL,
    quote_index BIGINT NOT NULL,
    turn_index BIGINT NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    text VARCHAR NOT NULL,
    cue VARCHAR NOT NULL
);
COMMENT ON TABLE quotes IS 'One row a sentence of the customer worth reading, verbatim. Key: call_id, quote_index.';
COMMENT ON COLUMN quotes.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN quotes.quote_index IS 'Place of the quote in the call, from 0.';
COMMENT ON COLUMN quotes.turn_index IS 'The turn it is from (turns.turn_index).';
COMMENT ON COLUMN quotes.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN quotes.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN quotes.text IS 'The customer''s own words.';
COMMENT ON COLUMN quotes.cue IS 'What makes them worth reading.';
