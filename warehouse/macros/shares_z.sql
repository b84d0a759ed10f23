-- How far one share lies above another by chance: the signed root of the likelihood ratio (Wilks 1938).
-- Where shares are small the usual z of two proportions calls far too many apart: of twenty agents who
-- all answer one feeling in ten it named one in a quarter of the firms, this one in a fortieth.
CREATE OR REPLACE MACRO shares_z(share, n, other_share, other_n) AS (
    SELECT sign(share - other_share) * sqrt(2 * greatest(0.0,
        n * relative_entropy(share, together) + other_n * relative_entropy(other_share, together)
    ))
    FROM (SELECT (share * n + other_share * other_n) / (n + other_n) AS together)
);

COMMENT ON MACRO shares_z IS 'How many standard errors a share of n lies above another one of other_n: the signed root of the likelihood ratio (Wilks 1938), which holds for small shares, too.';
