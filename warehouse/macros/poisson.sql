-- The 95 % interval of a count per exposure, at as much as the counted is worth (Byar's approximation
-- to Poisson's, Breslow & Day 1987): with a design effect of 2, as of half the count over half of it.
CREATE OR REPLACE MACRO poisson(counted, exposure, design_effect) AS
    CASE WHEN exposure > 0 THEN struct_pack(
        low := CASE WHEN counted > 0 THEN counted / exposure * greatest(0.0,
            1 - design_effect / (9 * counted) - 1.96 / 3 * sqrt(design_effect / counted)) ** 3
            ELSE 0.0 END,
        high := (counted / design_effect + 1) * design_effect / exposure * (
            1 - 1 / (9 * (counted / design_effect + 1))
            + 1.96 / (3 * sqrt(counted / design_effect + 1))) ** 3
    ) END;

COMMENT ON MACRO poisson IS 'The 95 % interval of counted / exposure (Byar''s approximation to Poisson''s), as a struct of low and high, wider by a design effect; NULL without exposure.';
