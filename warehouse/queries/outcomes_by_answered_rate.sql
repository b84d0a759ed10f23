-- An outcome by how many of the customer's feelings were answered; calls without a cue are apart. Raw means, which agents and reasons may bring about: `warmline research retention` holds these equal.
-- $outcome VARCHAR = 'retained': which outcome, as loaded
-- $within_days INTEGER = 90: an outcome counts for a call at most so many days before it
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $simulated BOOLEAN = false: true for simulated calls, which are never added to real ones
WITH rated AS (
    SELECT
        CASE
            WHEN calls.no_ledger_reason IS NOT NULL OR calls.opportunities IS NULL THEN '6 not known'
            WHEN coalesce(calls.answerable, 0) = 0 THEN '5 no cue'
            WHEN calls.answered_rate = 0 THEN '1 none'
            WHEN calls.answered_rate < 0.5 THEN '2 under half'
            WHEN calls.answered_rate < 1 THEN '3 half or more'
            ELSE '4 all'
        END AS place,
        o.value,
        -- Where several agents speak, the metadata do not say which of them they name.
        CASE WHEN coalesce(calls.agents, 0) <= 1 THEN o.agent_id END AS own_agent_id,
        o.value - avg(o.value) OVER (PARTITION BY own_agent_id) AS above_own
    FROM outcomes_within($outcome, $within_days) AS o
    INNER JOIN call_summary AS calls ON calls.call_id = o.call_id
    WHERE o.is_simulated = $simulated
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
)
SELECT
    place[3:] AS answered,
    count(*) AS calls,
    count(DISTINCT own_agent_id) AS agents,
    avg(value) AS mean_outcome,
    CASE WHEN bool_and(value IN (0, 1)) THEN wilson(sum(value), count(*)).low END AS low,
    CASE WHEN bool_and(value IN (0, 1)) THEN wilson(sum(value), count(*)).high END AS high,
    -- Sums of differences that cancel out leave some 1e-17, which is nothing.
    round(avg(above_own) FILTER (own_agent_id IS NOT NULL), 12) AS above_agents_own_mean
FROM rated
GROUP BY place
ORDER BY place;
