-- How much hostility agents are met with, and for how long: minutes of the calls that held hostile words.
-- Calls in which several agents speak are left out: which of them was met with it is not known.
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
SELECT
    agent_id,
    is_simulated,
    count(*) AS calls,
    count_if(hostile > 0) AS hostile_calls,
    sum(hostile) AS hostile_words,
    sum(duration_s) FILTER (hostile > 0) / 60 AS hostile_minutes,
    sum(duration_s) / 60 AS minutes
FROM call_summary AS calls
WHERE agent_id IS NOT NULL AND agents = 1 AND hostile IS NOT NULL
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
GROUP BY agent_id, is_simulated
HAVING count_if(hostile > 0) > 0
ORDER BY hostile_minutes DESC, agent_id, is_simulated;
