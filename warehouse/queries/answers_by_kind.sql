-- How each kind of feeling is answered: one row a kind and answer, with its share of the kind, of real
-- and of simulated calls. In support chats the kind was told no better than by calling every feeling
-- frustration (validation/REPORT.md); that there is a feeling was told far better.
-- share_low, share_high: 95 % interval of the share (Wilson), wider where cues of one call are alike.
-- $agent VARCHAR = NULL: only calls of this agent
-- $team VARCHAR = NULL: only calls of this team
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
WITH answered AS (
    SELECT
        calls.is_simulated, o.kind, coalesce(o.answer, 'nobody spoke after it') AS answer,
        o.call_id, o.latency_s,
        count(*) OVER (PARTITION BY o.kind, o.call_id) AS in_call
    FROM opportunities AS o
    INNER JOIN calls ON calls.call_id = o.call_id
    WHERE ($agent IS NULL OR sole_agent(calls.agent_id, calls.agents) = $agent) AND ($team IS NULL OR calls.team = $team)
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
),
kinds AS (
    SELECT is_simulated, kind, count(*) AS of_kind, sum(in_call) AS squares
    FROM answered
    GROUP BY is_simulated, kind
),
of_call AS (
    SELECT is_simulated, kind, answer, count(*) AS hits, any_value(in_call) AS in_call
    FROM answered
    GROUP BY is_simulated, kind, answer, call_id
),
answers AS (
    SELECT
        is_simulated, kind, answer, sum(hits) AS cues, sum(hits ** 2) AS squared_hits,
        sum(hits * in_call) AS products
    FROM of_call
    GROUP BY is_simulated, kind, answer
),
shares AS (
    SELECT
        *,
        cues / of_kind AS share,
        greatest(1.0, coalesce(CASE WHEN of_kind >= 10 THEN
            (squared_hits - 2 * share * products + share ** 2 * squares)
            / nullif(share * (1 - share) * (of_kind - squares / of_kind), 0) END, 1.0))
            AS design_effect
    FROM answers
    INNER JOIN kinds USING (is_simulated, kind)
),
latencies AS (
    SELECT is_simulated, kind, answer, median(latency_s) AS latency_median_s
    FROM answered
    GROUP BY is_simulated, kind, answer
)
SELECT
    shares.kind,
    shares.answer,
    shares.is_simulated,
    cues,
    of_kind,
    share,
    wilson(cues / design_effect, of_kind / design_effect).low AS share_low,
    wilson(cues / design_effect, of_kind / design_effect).high AS share_high,
    latency_median_s
FROM shares
INNER JOIN latencies USING (is_simulated, kind, answer)
ORDER BY shares.is_simulated, shares.kind, cues DESC, shares.answer;
