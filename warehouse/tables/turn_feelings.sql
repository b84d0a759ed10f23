CREATE TABLE facts.turn_feelings (
    call_no INTEGER NOT NULL,
    feeling_index BIGINT NOT NULL,
    turn_index BIGINT NOT NULL,
    any_negative DOUBLE NOT NULL,
    fear_anxiety DOUBLE NOT NULL,
    anger_frustration DOUBLE NOT NULL,
    sadness_disappointment DOUBLE NOT NULL,
    confusion_powerlessness DOUBLE NOT NULL,
    explicit DOUBLE NOT NULL,
    implicit DOUBLE NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    text VARCHAR NOT NULL,
    rule VARCHAR,
    model DOUBLE,
    answer VARCHAR,
    level BIGINT,
    answer_turn_index BIGINT,
    latency_s DOUBLE
);
COMMENT ON VIEW turn_feelings IS 'One row a customer''s turn that a model read: how probable a feeling is in it, whether it would be in the ledger or not. Key: call_id, feeling_index.';
COMMENT ON COLUMN turn_feelings.feeling_index IS 'Place among the rows of the call, from 0, by turn.';
COMMENT ON COLUMN turn_feelings.turn_index IS 'The customer''s turn (turns.turn_index).';
COMMENT ON COLUMN turn_feelings.any_negative IS 'Probability that people hear frustration, anger, anxiety or disappointment in it, 0..1; calibrated on written support chats.';
COMMENT ON COLUMN turn_feelings.fear_anxiety IS 'Share of any_negative that is fear or anxiety; how it is shared among the feelings is not calibrated.';
COMMENT ON COLUMN turn_feelings.anger_frustration IS 'Share of any_negative that is anger or frustration; as fear_anxiety.';
COMMENT ON COLUMN turn_feelings.sadness_disappointment IS 'Share of any_negative that is sadness or disappointment; as fear_anxiety.';
COMMENT ON COLUMN turn_feelings.confusion_powerlessness IS 'Probability of confusion, apart from any_negative.';
COMMENT ON COLUMN turn_feelings.explicit IS 'Probability of a feeling that is put into words: a concern.';
COMMENT ON COLUMN turn_feelings.implicit IS 'Probability of a feeling that is only hinted at, as by trouble told plainly: a cue. explicit + implicit = any_negative.';
COMMENT ON COLUMN turn_feelings.start_s IS 'Start of the sentence it rests on most, seconds on the call''s clock.';
COMMENT ON COLUMN turn_feelings.end_s IS 'End of that sentence, seconds on the call''s clock.';
COMMENT ON COLUMN turn_feelings.text IS 'The sentence that it rests on most.';
COMMENT ON COLUMN turn_feelings.rule IS 'The strongest rule that recognised a cue in the turn; NULL when none did.';
COMMENT ON COLUMN turn_feelings.model IS 'What the network alone says of that sentence, 0..1.';
COMMENT ON COLUMN turn_feelings.answer IS 'How an agent answered the turn (opportunities.answer), had it been a cue; NULL when no agent turn followed.';
COMMENT ON COLUMN turn_feelings.level IS 'Depth of that answer, 0..2.';
COMMENT ON COLUMN turn_feelings.answer_turn_index IS 'The agent''s turn that answers (turns.turn_index).';
COMMENT ON COLUMN turn_feelings.latency_s IS 'From the end of the sentence to the start of the answering turn, seconds.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.turn_feelings BY NAME
WITH listed AS (
    SELECT
        call_no,
        unnest(empathy.feelings) AS x,
        generate_subscripts(empathy.feelings, 1) - 1 AS feeling_index
    FROM staged
)
SELECT
    call_no,
    feeling_index,
    x.turn_index,
    x.any_negative,
    x.fear_anxiety,
    x.anger_frustration,
    x.sadness_disappointment,
    x.confusion_powerlessness,
    x.explicit,
    x.implicit,
    x.start_s,
    x.end_s,
    x.text,
    x.rule,
    x.model,
    x.answer,
    x.level,
    x.answer_turn_index,
    x.latency_s
FROM listed;
