-- The first of two steps of p-values that allow for there being many (Benjamini & Hochberg 1995):
-- each times how many there are in its family over its rank; equal ones share the last of their ranks.
CREATE OR REPLACE MACRO bh_step(p, family) AS
    p * count(p) OVER (PARTITION BY family)
    / count(p) OVER (PARTITION BY family ORDER BY p NULLS LAST);

COMMENT ON MACRO bh_step IS 'A p-value times how many its family has over its rank among them: the first step of Benjamini & Hochberg 1995.';
