-- How many cues are worth one, over groups of calls with their scatter (`week_sums`): cues of one call
-- are alike (Kish 1965). Groups of few cues say nothing of it.
CREATE OR REPLACE MACRO design_effect_of(scatter, by_chance, answerable) AS
    greatest(1.0, coalesce(
        sum(scatter) FILTER (answerable >= 10)
        / nullif(sum(by_chance) FILTER (answerable >= 10), 0), 1.0
    ));

COMMENT ON MACRO design_effect_of IS 'How many cues are worth one, because cues of one call are alike: scatter of calls over what chance gives, over all groups with at least 10 cues; at least 1.';
