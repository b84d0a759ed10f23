CREATE VIEW review_summary AS
SELECT
    call_id,
    subject,
    name,
    party,
    opportunity_index,
    count(*) AS reviews,
    count_if(verdict = 'right') AS said_right,
    count_if(verdict = 'wrong') AS said_wrong,
    CASE
        WHEN said_wrong = 0 THEN 'right'
        WHEN said_right = 0 THEN 'wrong'
        ELSE 'disputed'
    END AS verdict,
    string_agg(DISTINCT should_be, ', ' ORDER BY should_be) AS should_be,
    string_agg(reviewer || coalesce(': ' || reason, ''), '; ' ORDER BY reviewed_at, reviewer) AS remarks,
    list(DISTINCT reviewer ORDER BY reviewer) AS reviewers
FROM review_detail
WHERE is_unchanged AND review_detail.verdict <> 'withdrawn'
GROUP BY call_id, subject, name, party, opportunity_index;

COMMENT ON VIEW review_summary IS 'One row a row of the ledger or a measure that people reviewed and that still says what they reviewed.';
COMMENT ON COLUMN review_summary.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN review_summary.name IS 'Kind of the cue or name of the measure.';
COMMENT ON COLUMN review_summary.party IS 'Of a measure of one party: the party (parties.party); else NULL.';
COMMENT ON COLUMN review_summary.opportunity_index IS 'Of a cue: its place in the ledger (opportunities.opportunity_index).';
COMMENT ON COLUMN review_summary.reviews IS 'How many people reviewed it; of each, the last word counts.';
COMMENT ON COLUMN review_summary.said_right IS 'How many of them say that it is right.';
COMMENT ON COLUMN review_summary.said_wrong IS 'How many of them say that it is wrong.';
COMMENT ON COLUMN review_summary.verdict IS 'right or wrong when all agree, else disputed.';
COMMENT ON COLUMN review_summary.should_be IS 'What it should be, in the words of those who said so.';
COMMENT ON COLUMN review_summary.remarks IS 'Who said why.';
COMMENT ON COLUMN review_summary.reviewers IS 'Whose verdicts these are.';
