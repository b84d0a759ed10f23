CREATE VIEW review_parts AS
WITH standing AS (
    SELECT
        *,
        split_part(should_be, '+', 1) AS first_word,
        split_part(should_be, '+', -1) AS last_word
    FROM review_detail
    WHERE is_unchanged AND review_detail.verdict <> 'withdrawn'
),
judged AS (
    SELECT
        *,
        first_word IN ('no_cue', 'fear_anxiety', 'anger_frustration', 'sadness_disappointment',
            'confusion_powerlessness') AS names_feeling,
        last_word IN ('ignored', 'dismissed', 'minimal_acknowledgement', 'problem_solved_only', 'attentive',
            'affective', 'cognitive', 'no_answer') AS names_answer,
        coalesce(should_be IS NULL AND verdict = 'wrong', false) AS is_untold,
        names_feeling AND first_word <> name AS is_other_feeling,
        names_answer AND last_word <> machine_said AS is_other_answer
    FROM standing
),
parts AS (
    SELECT
        call_id, subject, name, party, opportunity_index, false AS is_untold,
        verdict = 'wrong' AS is_wrong
    FROM judged
    UNION ALL
    SELECT
        call_id, 'feeling', name, party, opportunity_index, is_untold,
        coalesce(is_other_feeling, false)
    FROM judged WHERE subject = 'cue' AND (verdict = 'right' OR is_untold OR names_feeling)
    UNION ALL
    SELECT call_id, 'answer', name, party, opportunity_index, is_untold,
        coalesce(is_other_answer, false)
    FROM judged WHERE subject = 'cue' AND (verdict = 'right' OR is_untold OR names_answer)
)
SELECT
    call_id,
    subject,
    name,
    party,
    opportunity_index,
    count(*) AS reviews,
    count_if(NOT is_wrong) AS said_right,
    count_if(is_wrong) AS said_wrong,
    CASE
        WHEN said_wrong = 0 THEN 'right'
        WHEN said_right = 0 THEN 'wrong'
        ELSE 'disputed'
    END AS verdict
FROM parts
GROUP BY call_id, subject, name, party, opportunity_index
HAVING NOT bool_or(is_untold);

COMMENT ON VIEW review_parts IS 'One row a thing that people judged: a measure, a row of the ledger as a whole, and of such a row the feeling and the answer each on its own.';
COMMENT ON COLUMN review_parts.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN review_parts.subject IS 'metric; cue (the row of the ledger: wrong where any of it is); feeling (whether there is one and which); answer (what became of it). Feeling and answer count where somebody judged that part: who calls the row wrong may name one of them alone. Neither where a reviewer only says that the row is wrong; no answer where all say that there is no feeling.';
COMMENT ON COLUMN review_parts.name IS 'Kind of the cue or name of the measure.';
COMMENT ON COLUMN review_parts.party IS 'Of a measure of one party: the party (parties.party); else NULL.';
COMMENT ON COLUMN review_parts.opportunity_index IS 'Of a cue: its place in the ledger (opportunities.opportunity_index).';
COMMENT ON COLUMN review_parts.reviews IS 'How many people judged it; of each, the last word counts.';
COMMENT ON COLUMN review_parts.said_right IS 'How many of them say that it is right.';
COMMENT ON COLUMN review_parts.said_wrong IS 'How many of them say that it is wrong.';
COMMENT ON COLUMN review_parts.verdict IS 'right or wrong when all agree, else disputed.';
