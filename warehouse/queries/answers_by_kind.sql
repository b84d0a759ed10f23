-- How each kind of feeling is answered: one row a kind and answer, with its share of the kind.
-- $agent VARCHAR = NULL: only calls of this agent
-- $team VARCHAR = NULL: only calls of this team
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
SELECT
    kind,
    coalesce(answer, 'nobody spoke after it') AS answer,
    count(*) AS cues,
    count(*) / sum(count(*)) OVER (PARTITION BY kind) AS share,
    median(latency_s) AS latency_median_s
FROM opportunity_detail AS calls
WHERE ($agent IS NULL OR agent_id = $agent) AND ($team IS NULL OR team = $team)
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
GROUP BY kind, answer
ORDER BY kind, cues DESC, answer;
