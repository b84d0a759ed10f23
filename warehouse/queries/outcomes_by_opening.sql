-- How the customer's state in the first quarter of the call goes with how much was answered and with an outcome: a state that moves both makes answering look better or worse than it is.
-- $outcome VARCHAR = 'retained': which outcome, as loaded
-- $within_days INTEGER = 90: an outcome counts for a call at most so many days before it
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $simulated BOOLEAN = false: true for simulated calls, which are never added to real ones
WITH states AS (
    SELECT
        CASE
            WHEN opening.call_id IS NULL THEN '4 not known'
            WHEN opening.opening_hostile + opening.opening_friction > 0 THEN '3 hostile or worn by friction'
            WHEN opening.opening_cues > 0 THEN '2 shows feelings'
            ELSE '1 calm'
        END AS place,
        o.value,
        calls.answered,
        calls.answerable
    FROM outcomes_within($outcome, $within_days) AS o
    INNER JOIN call_summary AS calls ON calls.call_id = o.call_id
    LEFT JOIN customer_opening AS opening ON opening.call_id = o.call_id
    WHERE o.is_simulated = $simulated
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
)
SELECT
    place[3:] AS opening,
    count(*) AS calls,
    sum(answerable) AS answerable,
    sum(answered) AS answered,
    sum(answered) / nullif(sum(answerable), 0) AS answered_rate,
    avg(value) AS mean_outcome,
    CASE WHEN bool_and(value IN (0, 1)) THEN wilson(sum(value), count(*)).low END AS low,
    CASE WHEN bool_and(value IN (0, 1)) THEN wilson(sum(value), count(*)).high END AS high
FROM states
GROUP BY place
ORDER BY place;
