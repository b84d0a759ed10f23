-- The calls that answered their customers' feelings worst and best, with when to listen; simulated ones apart.
-- Worst: the lowest answered rate, then the most unanswered cues; some cue went unanswered. Best: the
-- highest, the most answered; some cue was answered. Of few calls, none is in both piles.
-- pile: worst or best; place: rank in the pile, 1 first.
-- alike: how many calls have the very same counts; among those the one with more dead air (worst) or
-- less of it (best) comes first. listen_at_s: seconds into the recording.
-- $each INTEGER = 5: how many of the worst and of the best
-- $min_cues INTEGER = 2: only calls with at least so many answerable cues
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
WITH ranked AS (
    SELECT
        call_id,
        is_simulated,
        row_number() OVER (
            PARTITION BY is_simulated
            ORDER BY answered_rate, answerable - answered DESC, dead_air_s DESC, call_id
        ) AS from_worst,
        row_number() OVER (
            PARTITION BY is_simulated
            ORDER BY answered_rate DESC, answered DESC, dead_air_s, call_id
        ) AS from_best,
        answered < answerable AS has_unanswered,
        answered > 0 AS has_answered,
        count(*) OVER (PARTITION BY is_simulated, answered, answerable) AS alike
    FROM call_summary AS calls
    WHERE answerable >= $min_cues
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
),
sorted_out AS (
    SELECT
        CASE
            WHEN has_unanswered AND (from_worst <= from_best OR NOT has_answered) THEN 'worst'
            ELSE 'best'
        END AS pile,
        *
    FROM ranked
    WHERE has_unanswered OR has_answered
),
piles AS (
    SELECT
        pile,
        row_number() OVER (
            PARTITION BY is_simulated, pile
            ORDER BY CASE pile WHEN 'worst' THEN from_worst ELSE from_best END
        ) AS place,
        alike,
        call_id
    FROM sorted_out
    QUALIFY place <= $each
),
cues AS (
    SELECT
        call_id,
        list(start_s ORDER BY start_s) FILTER (NOT answered) AS unanswered_at_s,
        list(start_s ORDER BY start_s) FILTER (answered) AS answered_at_s
    FROM opportunities INNER JOIN piles USING (call_id)
    GROUP BY call_id
)
SELECT
    pile, place, call_id, is_simulated, started_at, agent_id, answered, answerable, answered_rate,
    alike,
    CASE pile WHEN 'worst' THEN unanswered_at_s ELSE answered_at_s END AS listen_at_s,
    path
FROM piles
INNER JOIN cues USING (call_id)
INNER JOIN call_summary USING (call_id)
ORDER BY is_simulated, pile DESC, place;
