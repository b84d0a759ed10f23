-- What weeks are compared by: aggregates of the calls of a group, whose rows are `calls`, as a struct.
-- Rates are of the sums, never means of rates.
CREATE OR REPLACE MACRO week_sums(calls) AS struct_pack(
    calls := count(*),
    minutes := sum(calls.duration_s) / 60,
    ledger_calls := count(calls.opportunities),
    opportunities := sum(calls.opportunities),
    answerable := sum(calls.answerable),
    answered := sum(calls.answered),
    answered_rate := sum(calls.answered) / nullif(sum(calls.answerable), 0),
    agent_talk_share := sum(calls.agent_talk_s) FILTER (calls.customer_talk_s IS NOT NULL)
        / nullif(sum(calls.agent_talk_s + calls.customer_talk_s), 0),
    interruptions := sum(calls.agent_interruptions) FILTER (calls.customer_talk_s IS NOT NULL),
    customer_minutes :=
        sum(calls.customer_talk_s) FILTER (calls.agent_interruptions IS NOT NULL) / 60,
    interruptions_per_min :=
        sum(calls.agent_interruptions) FILTER (calls.customer_talk_s IS NOT NULL)
        / nullif(sum(calls.customer_talk_s) FILTER (calls.agent_interruptions IS NOT NULL) / 60, 0),
    dead_air_share := sum(calls.dead_air_s)
        / nullif(sum(calls.duration_s) FILTER (calls.dead_air_s IS NOT NULL), 0),
    offers := sum(calls.offers),
    misplaced_offers := sum(calls.misplaced_offers),
    reasks := sum(calls.reasks),
    hostile := sum(calls.hostile),
    -- How far calls scatter around the rate of the group, and how far chance alone would scatter
    -- them: cues of one call are alike, so that a cue is worth by_chance / scatter of one.
    scatter := sum(calls.answered ** 2)
        - 2 * sum(calls.answered) / nullif(sum(calls.answerable), 0)
            * sum(calls.answered * calls.answerable)
        + (sum(calls.answered) / nullif(sum(calls.answerable), 0)) ** 2
            * sum(calls.answerable ** 2),
    by_chance := sum(calls.answered) / nullif(sum(calls.answerable), 0)
        * (1 - sum(calls.answered) / nullif(sum(calls.answerable), 0))
        * (sum(calls.answerable) - sum(calls.answerable ** 2) / nullif(sum(calls.answerable), 0))
);

COMMENT ON MACRO week_sums IS 'Counts and rates of the calls of a group, as a struct; rates are of the sums.';
