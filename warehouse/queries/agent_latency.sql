-- How long agents take to respond: median and ninetieth percentile of the pauses before they speak, seconds.
-- $min_pauses INTEGER = 20: only agents with at least so many pauses
-- $since DATE = one_week_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
WITH waited AS (
    SELECT
        calls.agent_id,
        count(DISTINCT t.call_id) AS calls,
        count(*) AS pauses,
        quantile_cont(t.offset_s, [0.5, 0.9]) AS quantiles_s,
        max(t.offset_s) AS longest_s,
        arg_max({'call_id': t.call_id, 'at_s': t.at_s}, (t.offset_s, t.call_id, t.at_s)) AS longest
    FROM floor_transfers AS t
    INNER JOIN calls ON calls.call_id = t.call_id
    WHERE t.to_role = 'agent' AND t.from_role = 'customer' AND t.offset_s > 0
        AND calls.agent_id IS NOT NULL
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    GROUP BY calls.agent_id
    HAVING count(*) >= $min_pauses
)
SELECT
    waited.agent_id, calls, pauses, quantiles_s[1] AS latency_median_s,
    quantiles_s[2] AS latency_p90_s, longest_s, longest.call_id AS longest_call_id,
    longest.at_s AS longest_at_s
FROM waited
ORDER BY latency_median_s DESC, waited.agent_id;
