-- How each kind of feeling is answered: one row a kind and answer, with its share of the kind. In support chats the kind was told
-- no better than by calling every feeling frustration (validation/REPORT.md); that there is a feeling was told far better.
-- $agent VARCHAR = NULL: only calls of this agent
-- $team VARCHAR = NULL: only calls of this team
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
SELECT
    o.kind,
    coalesce(o.answer, 'nobody spoke after it') AS answer,
    count(*) AS cues,
    count(*) / sum(count(*)) OVER (PARTITION BY o.kind) AS share,
    median(o.latency_s) AS latency_median_s
FROM opportunities AS o
INNER JOIN calls ON calls.call_id = o.call_id
WHERE ($agent IS NULL OR sole_agent(calls.agent_id, calls.agents) = $agent) AND ($team IS NULL OR calls.team = $team)
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
GROUP BY o.kind, o.answer
ORDER BY o.kind, cues DESC, 2;
