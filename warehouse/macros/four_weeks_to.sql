-- What a question is about that says no since: the four weeks before a day, or the last four with calls.
-- A call that is said to begin after it was analyzed is misdated.
CREATE OR REPLACE MACRO four_weeks_to(until) AS
    coalesce(until, (SELECT max(started_at) FILTER (started_at <= analyzed_at) FROM calls)::DATE + 1)
    - 28;

COMMENT ON MACRO four_weeks_to IS 'The day 28 days before another one; before the end of the last day with calls when that is NULL; NULL when no call has a date.';
