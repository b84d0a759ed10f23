CREATE TABLE facts.rescored_calls (
    call_no INTEGER PRIMARY KEY,
    run_id BIGINT NOT NULL,
    stage VARCHAR NOT NULL,
    changes STRUCT("name" VARCHAR, "before" DOUBLE, "after" DOUBLE)[] NOT NULL
);
COMMENT ON VIEW rescored_calls IS 'One row per call that was analyzed again because a stage had changed (its version, settings, model or input), and what that changed of its headline measures; only the last time is kept. Key: call_id.';
COMMENT ON COLUMN rescored_calls.run_id IS 'The publishing that loaded the new analysis (runs.run_id).';
COMMENT ON COLUMN rescored_calls.stage IS 'The first stage that had changed: speech, words, turns, ...; those after it are done again because of it.';
COMMENT ON COLUMN rescored_calls.changes IS 'The columns of call_measures whose value is another one, with both values; a value that could not be given is NULL.';

-- load: calls of which `scored_before` has an earlier analysis.
INSERT INTO facts.rescored_calls BY NAME
WITH again AS (
    SELECT staged.call_no, staged.landing_key, scored_before.rescored,
        list_filter(
            staged.stage_keys,
            lambda s: scored_before.stage_keys[s.stage] IS DISTINCT FROM s.key
        )[1].stage AS stage
    FROM staged INNER JOIN scored_before USING (landing_key)
),
measured AS (
    SELECT call_no, "name", "value"
    FROM (
        SELECT again.call_no, new.* EXCLUDE (call_no)
        FROM again LEFT JOIN facts.call_measures AS new USING (call_no)
    )
    UNPIVOT INCLUDE NULLS ("value" FOR "name" IN (COLUMNS(* EXCLUDE (call_no))))
),
changed AS (
    SELECT again.call_no,
        list(
            {'name': "name", 'before': old."value", 'after': new."value"} ORDER BY "name"
        ) AS changes
    FROM again
    INNER JOIN measured_before AS old USING (landing_key)
    INNER JOIN measured AS new USING (call_no, "name")
    WHERE old."value" IS DISTINCT FROM new."value"
        AND (abs(old."value" - new."value") < 1e-9) IS NOT TRUE
    GROUP BY ALL
)
SELECT
    again.call_no,
    CASE WHEN again.stage IS NULL THEN again.rescored.run_id
        ELSE (SELECT coalesce(max(runs.run_id), 0) + 1 FROM runs) END AS run_id,
    coalesce(again.stage, again.rescored.stage) AS stage,
    CASE WHEN again.stage IS NULL THEN again.rescored.changes
        ELSE coalesce(changed.changes, []) END AS changes
FROM again LEFT JOIN changed USING (call_no)
WHERE again.stage IS NOT NULL OR again.rescored IS NOT NULL;
