-- How often people who listened agree with the machine, by kind of cue and by measure, with the 95 % interval.
-- Of a cue, the feeling and the answer are judged each on its own; `cue` is both, wrong where either is.
-- Of the rows that people chose to review, which are seldom a sample of all; `calibration_sample` draws one.
-- What they disagree on among themselves counts as half; what the machine says otherwise by now does not count.
-- $min_rows INTEGER = 1: only what was reviewed in at least so many rows
SELECT
    subject,
    name,
    count(*) AS rows_reviewed,
    sum(reviews) AS reviews,
    count_if(verdict = 'right') AS agreed,
    count_if(verdict = 'wrong') AS denied,
    count_if(verdict = 'disputed') AS disputed,
    (agreed + disputed / 2) / rows_reviewed AS agreement,
    wilson(agreed + disputed / 2, rows_reviewed).low AS agreement_low,
    wilson(agreed + disputed / 2, rows_reviewed).high AS agreement_high
FROM review_parts
GROUP BY subject, name
HAVING count(*) >= $min_rows
ORDER BY subject, agreement, name;
