CREATE VIEW opportunity_voice AS
WITH customers AS (
    SELECT
        call_no,
        turn_index,
        (level_rel_db - avg(level_rel_db) OVER own) / nullif(stddev_samp(level_rel_db) OVER own, 0) AS level_z,
        (rate_words_per_s - avg(rate_words_per_s) OVER own)
        / nullif(stddev_samp(rate_words_per_s) OVER own, 0) AS rate_z,
        (pitch_median_st - avg(pitch_median_st) OVER own) / nullif(stddev_samp(pitch_median_st) OVER own, 0)
            AS pitch_z,
        count(level_rel_db) OVER own AS turns_measured
    FROM facts.turns
    WHERE role = 'customer'
    WINDOW own AS (PARTITION BY call_no, party)
)
SELECT
    calls.call_id,
    opportunities.opportunity_index,
    customers.level_z,
    customers.rate_z,
    customers.pitch_z,
    customers.turns_measured
FROM facts.opportunities
INNER JOIN calls ON calls.call_no = opportunities.call_no
INNER JOIN customers
    ON customers.call_no = opportunities.call_no AND customers.turn_index = opportunities.turn_index
WHERE customers.turns_measured >= 5;

COMMENT ON VIEW opportunity_voice IS 'How the turn of a cue sounded beside the customer''s other turns in the same call; nobody has validated it as a sign of a feeling. Cues of customers with fewer than five measured turns are left out.';
COMMENT ON COLUMN opportunity_voice.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN opportunity_voice.opportunity_index IS 'The cue (opportunities.opportunity_index).';
COMMENT ON COLUMN opportunity_voice.level_z IS 'Level, in standard deviations from the mean of the customer''s own turns; NULL where it cannot be said.';
COMMENT ON COLUMN opportunity_voice.rate_z IS 'Rate of words, as level_z.';
COMMENT ON COLUMN opportunity_voice.pitch_z IS 'Median pitch, as level_z.';
COMMENT ON COLUMN opportunity_voice.turns_measured IS 'Turns of the customer whose level was measured.';
