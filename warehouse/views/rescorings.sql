CREATE VIEW rescorings AS
WITH again AS (
    SELECT run_id, stage, count(*) AS calls_rescored FROM rescored_calls GROUP BY ALL
),
changes AS (
    SELECT call_id, run_id, stage, unnest(changes, max_depth := 2) FROM rescored_calls
),
by_measure AS (
    SELECT
        run_id,
        stage,
        "name",
        count(*) AS calls_changed,
        count(*) FILTER (WHERE "before" IS NULL) AS calls_with_a_value_now,
        count(*) FILTER (WHERE "after" IS NULL) AS calls_without_a_value_now,
        avg("before") FILTER (WHERE "after" IS NOT NULL) AS mean_before,
        avg("after") FILTER (WHERE "before" IS NOT NULL) AS mean_after,
        median(abs("after" - "before")) AS median_change,
        max(abs("after" - "before")) AS largest_change,
        coalesce(arg_max(call_id, abs("after" - "before")), min(call_id)) AS most_changed_call_id
    FROM changes
    GROUP BY ALL
)
SELECT
    again.run_id,
    runs.started_at AS published_at,
    again.stage,
    again.calls_rescored,
    by_measure.* EXCLUDE (run_id, stage)
FROM again
LEFT JOIN runs USING (run_id)
LEFT JOIN by_measure USING (run_id, stage);
COMMENT ON VIEW rescorings IS 'What analyzing calls again changed: one row a publishing, stage and headline measure, for the last time that each call was analyzed again. Key: run_id, stage, name.';
COMMENT ON COLUMN rescorings.run_id IS 'The publishing that loaded the new analyses (runs.run_id).';
COMMENT ON COLUMN rescorings.published_at IS 'When the new analyses were published, UTC.';
COMMENT ON COLUMN rescorings.stage IS 'The first stage that had changed: its version, settings, model or input.';
COMMENT ON COLUMN rescorings.calls_rescored IS 'How many calls were analyzed again from this stage on, with or without another value.';
COMMENT ON COLUMN rescorings.name IS 'The measure (a column of call_measures); NULL when no value changed in any of the calls.';
COMMENT ON COLUMN rescorings.calls_changed IS 'In how many calls its value is another one.';
COMMENT ON COLUMN rescorings.calls_with_a_value_now IS 'How many of them had no value before.';
COMMENT ON COLUMN rescorings.calls_without_a_value_now IS 'How many of them have no value now.';
COMMENT ON COLUMN rescorings.mean_before IS 'Mean of the earlier values, of the changed calls that have both.';
COMMENT ON COLUMN rescorings.mean_after IS 'Mean of the new values of the same calls.';
COMMENT ON COLUMN rescorings.median_change IS 'Median of how far these values moved, up or down.';
COMMENT ON COLUMN rescorings.largest_change IS 'The largest change in any call.';
COMMENT ON COLUMN rescorings.most_changed_call_id IS 'The call in which it moved furthest; where none had a value before and now, one that changed.';
