-- How many standard errors a 95 % interval reaches with few observations: Student's t at 0.975 by
-- Cornish & Fisher's expansion (Abramowitz & Stegun 1964, 26.7.5), to 0.01 from 4 degrees of freedom.
CREATE OR REPLACE MACRO students_t(df) AS
    1.959964 + 2.372271 / df + 2.822522 / df ** 2 + 2.555885 / df ** 3 + 1.589536 / df ** 4;

COMMENT ON MACRO students_t IS 'The 0.975 quantile of Student''s t for 4 degrees of freedom or more: how many standard errors a 95 % interval reaches.';
