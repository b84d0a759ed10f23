-- The 95 % interval of a share after Wilson 1927: honest for few observations, never outside 0..1.
CREATE OR REPLACE MACRO wilson(hits, n) AS
    CASE WHEN n > 0 THEN struct_pack(
        low := CASE WHEN hits = 0 THEN 0.0 ELSE greatest(0.0, (hits / n + 1.9208 / n
            - 1.96 * sqrt(hits / n * (1 - hits / n) / n + 0.9604 / (n * n)))
            / (1 + 3.8416 / n)) END,
        high := CASE WHEN hits = n THEN 1.0 ELSE least(1.0, (hits / n + 1.9208 / n
            + 1.96 * sqrt(hits / n * (1 - hits / n) / n + 0.9604 / (n * n)))
            / (1 + 3.8416 / n)) END
    ) END;

COMMENT ON MACRO wilson IS 'The 95 % interval of the share hits / n after Wilson 1927, as a struct of low and high; NULL when n is 0.';
