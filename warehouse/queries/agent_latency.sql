-- How long agents take to respond: median and ninetieth percentile of the pauses before they speak, seconds.
-- In order of name: agents whose intervals overlap are not told apart. Calls in which several agents
-- speak are left out, as it is not known whose pauses theirs are.
-- latency_median_low, latency_median_high: 95 % interval of the median (by ranks), wider where pauses
-- of one call are alike.
-- $min_pauses INTEGER = 20: only agents with at least so many pauses
-- $since DATE = one_week_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
WITH waits AS (
    SELECT calls.agent_id, calls.is_simulated, t.call_id, t.at_s, t.offset_s
    FROM floor_transfers AS t
    INNER JOIN calls ON calls.call_id = t.call_id
    WHERE t.to_role = 'agent' AND t.from_role = 'customer' AND t.offset_s > 0
        AND calls.agent_id IS NOT NULL AND calls.agents = 1
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
),
waited AS (
    SELECT
        agent_id,
        is_simulated,
        count(DISTINCT call_id) AS calls,
        count(*) AS pauses,
        quantile_cont(offset_s, [0.5, 0.9]) AS quantiles_s,
        list(offset_s ORDER BY offset_s) AS sorted_s,
        max(offset_s) AS longest_s,
        arg_max({'call_id': call_id, 'at_s': at_s}, (offset_s, call_id, at_s)) AS longest
    FROM waits
    GROUP BY agent_id, is_simulated
    HAVING count(*) >= $min_pauses
),
-- How many of a call's pauses are longer than half of the agent's, as cues are in `week_sums`.
longer AS (
    SELECT
        agent_id, is_simulated, pauses, count(*) AS n,
        count_if(offset_s > quantiles_s[1]) AS hits
    FROM waits
    INNER JOIN waited USING (agent_id, is_simulated)
    GROUP BY agent_id, is_simulated, waits.call_id, pauses
),
scattered AS (
    SELECT
        pauses, sum((hits - n / 2) ** 2) AS scatter, (pauses - sum(n ** 2) / pauses) / 4 AS by_chance
    FROM longer
    GROUP BY agent_id, is_simulated, pauses
),
alike AS (SELECT design_effect_of(scatter, by_chance, pauses) AS design_effect FROM scattered),
ranked AS (
    SELECT *, 0.98 * sqrt(design_effect * pauses) AS ranks FROM waited CROSS JOIN alike
)
SELECT
    agent_id, is_simulated, calls, pauses, quantiles_s[1] AS latency_median_s,
    sorted_s[greatest(1, floor(pauses / 2 - ranks))::BIGINT] AS latency_median_low,
    sorted_s[least(pauses, ceil(pauses / 2 + ranks) + 1)::BIGINT] AS latency_median_high,
    quantiles_s[2] AS latency_p90_s, longest_s, longest.call_id AS longest_call_id,
    longest.at_s AS longest_at_s
FROM ranked
ORDER BY agent_id, is_simulated;
