-- 50 is the mean of the reference population and 10 its spread, higher is better.
CREATE OR REPLACE MACRO profile_score(value, exposure, direction, mean, spread, noise) AS struct_pack(
    score := 50 + 10 * direction * (value - mean) / spread,
    low := 50 + 10 * (direction * (value - mean) - 1.96 * noise / sqrt(exposure)) / spread,
    high := 50 + 10 * (direction * (value - mean) + 1.96 * noise / sqrt(exposure)) / spread
);

COMMENT ON MACRO profile_score IS 'A value on the common scale of the empathy profile, with its 95 % interval, as a struct of score, low and high.';
