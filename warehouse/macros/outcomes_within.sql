-- The outcome of a name that counts for each call: given at most so many days after it. Of several the first one; of being retained the worst, which is to leave; who is known to be there later has stayed.
CREATE OR REPLACE MACRO outcomes_within(of_name, days) AS TABLE
    SELECT call_id, customer_id, agent_id, started_at, is_simulated, value, occurred_at,
        days_after
    FROM outcome_calls
    WHERE name = of_name AND call_id IS NOT NULL AND value IS NOT NULL
        -- Who is seen after the horizon was there at it; who leaves after it does not count as gone.
        AND coalesce(days_after <= days OR (name = 'retained' AND value <> 0), true)
    QUALIFY row_number() OVER (
        PARTITION BY call_id
        ORDER BY CASE WHEN name = 'retained' THEN value END, at_latest, source, line) = 1;

COMMENT ON MACRO TABLE outcomes_within IS 'The outcome of a name that counts for each call, given at most so many days after it: the first one; of being retained the worst, and whoever is known to be there later has stayed.';
