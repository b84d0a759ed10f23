-- 50 is the mean of the reference population and 10 its spread, higher is better. `counts` and
-- `reference` are rows: one with the amount, exposure, direction and min_exposure of a component, and
-- that of the population the component is compared with.
CREATE OR REPLACE MACRO profile_score(counts, reference) AS CASE
    WHEN NOT reference.is_enough THEN struct_pack(
        score := NULL::DOUBLE, low := NULL::DOUBLE, high := NULL::DOUBLE,
        reason := 'too few calls to compare with, or all alike')
    WHEN counts.exposure < counts.min_exposure THEN struct_pack(
        score := NULL::DOUBLE, low := NULL::DOUBLE, high := NULL::DOUBLE,
        reason := 'too little could be measured')
    ELSE struct_pack(
        score := 50 + 10 * counts.direction
            * (counts.amount / counts.exposure - reference.mean) / reference.spread,
        low := 50 + 10 * (counts.direction * (counts.amount / counts.exposure - reference.mean)
            - 1.96 * reference.noise / sqrt(counts.exposure)) / reference.spread,
        high := 50 + 10 * (counts.direction * (counts.amount / counts.exposure - reference.mean)
            + 1.96 * reference.noise / sqrt(counts.exposure)) / reference.spread,
        reason := NULL::VARCHAR)
END;

COMMENT ON MACRO profile_score IS 'Where a value lies on the common scale of the empathy profile, as a struct of score, its 95 % interval low and high, and the reason why there is no score.';
