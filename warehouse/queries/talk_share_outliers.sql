-- Calls whose agent talks far more or far less than is usual (Tukey's fences on all real calls, or on all simulated ones).
-- $fence DOUBLE = 1.5: how many interquartile ranges beyond the quartiles are far
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH measured AS (
    SELECT call_id, is_simulated, agent_talk_share
    FROM call_summary AS calls
    WHERE agent_talk_share IS NOT NULL
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
),
fences AS (
    SELECT
        is_simulated,
        quantile_cont(agent_talk_share, 0.25) AS q1,
        quantile_cont(agent_talk_share, 0.5) AS median,
        quantile_cont(agent_talk_share, 0.75) AS q3
    FROM measured
    GROUP BY is_simulated
)
SELECT
    calls.call_id, calls.is_simulated, calls.started_at, calls.agent_id, calls.agent_talk_share,
    median AS usual_talk_share,
    CASE WHEN calls.agent_talk_share > q3 THEN 'talks much' ELSE 'talks little' END AS what,
    calls.agent_longest_monologue_s, calls.duration_s, calls.path
FROM measured
INNER JOIN fences USING (is_simulated)
INNER JOIN call_summary AS calls USING (call_id)
WHERE measured.agent_talk_share > q3 + $fence * (q3 - q1)
    OR measured.agent_talk_share < q1 - $fence * (q3 - q1)
ORDER BY calls.is_simulated, abs(calls.agent_talk_share - median) DESC, calls.call_id
LIMIT $n;
