-- Calls whose agent talks far more or far less than is usual (Tukey's fences on all calls).
-- $fence DOUBLE = 1.5: how many interquartile ranges beyond the quartiles are far
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH measured AS (
    SELECT * FROM call_summary AS calls
    WHERE agent_talk_share IS NOT NULL AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
),
fences AS (
    SELECT
        quantile_cont(agent_talk_share, 0.25) AS q1,
        quantile_cont(agent_talk_share, 0.5) AS median,
        quantile_cont(agent_talk_share, 0.75) AS q3
    FROM measured
)
SELECT
    call_id, started_at, agent_id, agent_talk_share, median AS usual_talk_share,
    CASE WHEN agent_talk_share > q3 THEN 'talks much' ELSE 'talks little' END AS what,
    agent_longest_monologue_s, duration_s, path
FROM measured
CROSS JOIN fences
WHERE agent_talk_share > q3 + $fence * (q3 - q1) OR agent_talk_share < q1 - $fence * (q3 - q1)
ORDER BY abs(agent_talk_share - median) DESC, call_id
LIMIT $n;
