-- What analyzing calls again changed: which stage, how many calls, which measures, and how far.
SELECT
    published_at,
    stage,
    calls_rescored,
    "name",
    calls_changed,
    calls_with_a_value_now,
    calls_without_a_value_now,
    round(mean_before, 3) AS mean_before,
    round(mean_after, 3) AS mean_after,
    round(median_change, 3) AS median_change,
    round(largest_change, 3) AS largest_change,
    most_changed_call_id
FROM rescorings
ORDER BY run_id DESC, stage, calls_changed DESC, "name";
