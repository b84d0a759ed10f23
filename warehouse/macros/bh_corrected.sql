-- The second step after `bh_step`: the least of its own and of those of all p-values as large.
CREATE OR REPLACE MACRO bh_corrected(p, step, family) AS
    CASE WHEN p IS NOT NULL THEN
        min(step) OVER (PARTITION BY family ORDER BY p DESC NULLS FIRST)
    END;

COMMENT ON MACRO bh_corrected IS 'The p-value corrected for all of its family (Benjamini & Hochberg 1995), from bh_step of each; up to 0.05, one in twenty of those called apart is expected to be chance.';
