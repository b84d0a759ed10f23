INSERT INTO words BY NAME
WITH heard AS (
    SELECT
        call_id,
        call_no,
        unnest(transcript.words) AS w,
        generate_subscripts(transcript.words, 1) - 1 AS word_index
    FROM staged
),
placed AS (
    SELECT
        call_id, call_no, word_index, w.party, w.start_s, w.end_s, w.text, w.probability,
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
    placed.call_id,
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
