-- What a question is about that reads every pause and says no since: as four_weeks_to, of one week.
CREATE OR REPLACE MACRO one_week_to(until) AS four_weeks_to(until) + 21;

COMMENT ON MACRO one_week_to IS 'The day 7 days before another one; before the end of the last day with calls when that is NULL; NULL when no call has a date.';
