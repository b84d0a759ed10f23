-- The calls that answered their customers' feelings worst and best, with when to listen.
-- Worst: the lowest answered rate, then the most unanswered cues. Best: the highest, the most answered.
-- $each INTEGER = 5: how many of the worst and of the best
-- $min_cues INTEGER = 2: only calls with at least so many answerable cues
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
WITH cues AS (
    SELECT
        call_id,
        list(start_s ORDER BY start_s) FILTER (NOT answered) AS unanswered_at_s,
        list(start_s ORDER BY start_s) FILTER (answered) AS answered_at_s
    FROM opportunities
    GROUP BY call_id
),
ranked AS (
    SELECT
        calls.*,
        cues.*  EXCLUDE (call_id),
        row_number() OVER (
            ORDER BY answered_rate, answerable - answered DESC, dead_air_s DESC, calls.call_id
        ) AS from_worst,
        row_number() OVER (
            ORDER BY answered_rate DESC, answered DESC, dead_air_s, calls.call_id
        ) AS from_best
    FROM call_summary AS calls
    INNER JOIN cues ON cues.call_id = calls.call_id
    WHERE answerable >= $min_cues
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
),
piles AS (
    SELECT 'worst' AS pile, from_worst AS place, * FROM ranked WHERE from_worst <= $each
    UNION ALL
    SELECT 'best', from_best, * FROM ranked WHERE from_best <= $each AND from_worst > $each
)
SELECT
    pile, place, call_id, started_at, agent_id, answered, answerable, answered_rate,
    CASE pile WHEN 'worst' THEN unanswered_at_s ELSE answered_at_s END AS listen_at_s,
    path
FROM piles
ORDER BY pile DESC, place;
