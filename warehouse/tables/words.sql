CREATE TABLE facts.words (
    call_no INTEGER NOT NULL,
    word_index BIGINT NOT NULL,
    turn_index BIGINT,
    party VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    text VARCHAR NOT NULL,
    probability DOUBLE NOT NULL
);
COMMENT ON VIEW words IS 'One row a recognised word. Key: call_id, word_index.';
COMMENT ON COLUMN words.word_index IS 'Place of the word in the call, from 0.';
COMMENT ON COLUMN words.turn_index IS 'The turn of the same party in which the middle of the word lies (turns.turn_index); NULL outside all turns, as in a backchannel.';
COMMENT ON COLUMN words.party IS 'Who says it (parties.party).';
COMMENT ON COLUMN words.start_s IS 'Start on the call''s clock, seconds, to the millisecond.';
COMMENT ON COLUMN words.end_s IS 'End on the call''s clock, seconds, to the millisecond.';
COMMENT ON COLUMN words.text IS 'The word as recognised, or a placeholder such as [card] for words that were private.';
COMMENT ON COLUMN words.probability IS 'The recogniser''s own confidence, 0..1.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.words BY NAME
WITH heard AS (
    SELECT
        call_no,
        unnest(transcript.words) AS w,
        generate_subscripts(transcript.words, 1) - 1 AS word_index
    FROM staged
),
placed AS (
    SELECT
        call_no, word_index, w.party, w.start_s, w.end_s, w.text, w.probability,
        (w.start_s + w.end_s) / 2 AS middle_s
    FROM heard
),
said AS (
    SELECT call_no, unnest(conversation.turns) AS t FROM staged
),
turn AS (
    SELECT call_no, t.party, t.index, t.start_s, t.end_s FROM said
)
SELECT
    placed.call_no,
    placed.word_index,
    CASE WHEN middle_s <= turn.end_s THEN turn.index END AS turn_index,
    placed.party,
    round(placed.start_s, 3) AS start_s,
    round(placed.end_s, 3) AS end_s,
    placed.text,
    placed.probability
FROM placed
ASOF LEFT JOIN turn
    ON turn.call_no = placed.call_no
    AND turn.party = placed.party
    AND turn.start_s <= placed.middle_s
ORDER BY placed.call_no, placed.word_index;
