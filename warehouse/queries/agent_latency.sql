-- How long agents take to respond: median and ninetieth percentile of the pauses before they speak, seconds.
-- $min_pauses INTEGER = 20: only agents with at least so many pauses
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
SELECT
    calls.agent_id,
    count(DISTINCT calls.call_id) AS calls,
    count(*) AS pauses,
    median(t.offset_s) AS latency_median_s,
    quantile_cont(t.offset_s, 0.9) AS latency_p90_s,
    max(t.offset_s) AS longest_s,
    arg_max(calls.call_id, t.offset_s) AS longest_call_id,
    arg_max(t.at_s, t.offset_s) AS longest_at_s
FROM floor_transfers AS t
INNER JOIN calls ON calls.call_id = t.call_id
WHERE t.to_role = 'agent' AND t.from_role = 'customer' AND t.offset_s > 0
    AND calls.agent_id IS NOT NULL
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
GROUP BY calls.agent_id
HAVING count(*) >= $min_pauses
ORDER BY latency_median_s DESC, calls.agent_id;
