-- What customers are asked for again, by queue: the item, how often, and one place to hear it.
-- calls_measured: calls whose agents' words were read, of several agents too.
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
WITH measured AS (
    SELECT
        coalesce(queue, 'unknown') AS queue,
        is_simulated,
        count_if(reasks IS NOT NULL OR (agents > 1 AND no_ledger_reason IS NULL)) AS calls
    FROM call_summary AS calls
    WHERE ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
    GROUP BY ALL
),
asked AS (
    SELECT
        coalesce(calls.queue, 'unknown') AS queue,
        calls.is_simulated,
        coalesce(moments.label, 'unknown') AS item,
        count(*) AS reasks,
        count(DISTINCT calls.call_id) AS calls_with_it,
        arg_min(moments.text, (calls.call_id, moments.start_s)) AS example,
        arg_min(calls.call_id, (calls.call_id, moments.start_s)) AS example_call_id,
        arg_min(moments.start_s, (calls.call_id, moments.start_s)) AS example_at_s
    FROM moments
    INNER JOIN calls ON calls.call_id = moments.call_id
    WHERE moments.kind = 'reask' AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
    GROUP BY ALL
)
SELECT
    asked.queue, asked.is_simulated, item, reasks, calls_with_it, measured.calls AS calls_measured,
    calls_with_it / nullif(measured.calls, 0) AS share_of_calls,
    example, example_call_id, example_at_s
FROM asked
LEFT JOIN measured
    ON measured.queue = asked.queue AND measured.is_simulated = asked.is_simulated
ORDER BY asked.is_simulated, reasks DESC, asked.queue, item;
