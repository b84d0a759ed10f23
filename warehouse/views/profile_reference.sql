CREATE VIEW profile_reference AS
-- About the mean, squares add up to those about 0 less the mean's own, so that sums of calls will do.
WITH summed AS (
    SELECT
        component, is_simulated, sum(calls)::BIGINT AS calls, sum(amount) AS amount,
        sum(exposure) AS exposure, sum(squares) AS about_0
    FROM profile_totals
    GROUP BY component, is_simulated
),
spreads AS (
    SELECT
        component, is_simulated, calls, exposure, amount / exposure AS mean,
        CASE WHEN about_0 - amount * mean > 1e-9 * about_0 THEN about_0 - amount * mean ELSE 0 END
            AS squares
    FROM summed
)
SELECT
    component,
    is_simulated,
    calls,
    mean,
    sqrt(squares / exposure) AS spread,
    sqrt(squares / nullif(calls - 1, 0)) AS noise,
    calls >= (SELECT value FROM profile_settings WHERE name = 'min_reference_calls')
        AND squares > 0 AS is_enough
FROM spreads;

COMMENT ON VIEW profile_reference IS 'One row a component and population (all real calls of this warehouse, or all simulated ones): what the empathy profile is relative to.';
COMMENT ON COLUMN profile_reference.is_simulated IS 'Whether the population is the simulated calls.';
COMMENT ON COLUMN profile_reference.calls IS 'Calls in which the component could be measured.';
COMMENT ON COLUMN profile_reference.mean IS 'Sum of amounts over sum of exposures of all of them.';
COMMENT ON COLUMN profile_reference.spread IS 'Standard deviation of calls about the mean, each weighed by its exposure: the unit of scores.';
COMMENT ON COLUMN profile_reference.noise IS 'Standard deviation of a single unit of exposure, as calls scatter about the mean: the uncertainty of a value is noise / sqrt(exposure).';
COMMENT ON COLUMN profile_reference.is_enough IS 'Whether there are profile.min_reference_calls calls, and calls differ at all.';
