-- The chance of a standard normal value above z >= 0: Abramowitz & Stegun 1964, 26.2.17, to 1e-7.
CREATE OR REPLACE MACRO upper_tail(z) AS (
    SELECT exp(-z * z / 2) / sqrt(2 * pi()) * t * (0.319381530 + t * (-0.356563782
        + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    FROM (SELECT 1 / (1 + 0.2316419 * z) AS t)
);

COMMENT ON MACRO upper_tail IS 'The chance of a standard normal value above z, which is not negative.';
