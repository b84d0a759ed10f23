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
        coalesce(should_be IS NULL AND verdict = 'wrong', false) AS is_untold,
        coalesce(first_word = 'no_cue', false) AS is_no_cue,
        coalesce(first_word IN ('fear_anxiety', 'anger_frustration', 'sadness_disappointment',
            'confusion_powerlessness') AND first_word <> name, false) AS is_other_feeling,
        coalesce(last_word IN ('ignored', 'dismissed', 'minimal_acknowledgement', 'problem_solved_only', 'attentive',
            'affective', 'cognitive', 'no_answer') AND last_word <> machine_said, false)
            AS is_other_answer
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
        is_no_cue OR is_other_feeling
    FROM judged WHERE subject = 'cue'
    UNION ALL
    SELECT call_id, 'answer', name, party, opportunity_index, is_untold, is_other_answer
    FROM judged WHERE subject = 'cue' AND NOT is_no_cue
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
COMMENT ON COLUMN review_parts.subject IS 'metric; cue (the row of the ledger: wrong where any of it is); feeling (whether there is one and which); answer (what became of it). No feeling and no answer where a reviewer only says that the row is wrong; no answer where all say that there is no feeling.';
COMMENT ON COLUMN review_parts.name IS 'Kind of the cue or name of the measure.';
COMMENT ON COLUMN review_parts.party IS 'Of a measure of one party: the party (parties.party); else NULL.';
COMMENT ON COLUMN review_parts.opportunity_index IS 'Of a cue: its place in the ledger (opportunities.opportunity_index).';
COMMENT ON COLUMN review_parts.reviews IS 'How many people judged it; of each, the last word counts.';
COMMENT ON COLUMN review_parts.said_right IS 'How many of them say that it is right, or leave it as it was found.';
COMMENT ON COLUMN review_parts.said_wrong IS 'How many of them say that it is wrong.';
COMMENT ON COLUMN review_parts.verdict IS 'right or wrong when all agree, else disputed.';
