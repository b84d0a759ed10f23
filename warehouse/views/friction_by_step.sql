CREATE VIEW friction_by_step AS
WITH steps AS (
    SELECT
        coalesce(calls.extra['journey_step'], calls.contact_reason, calls.queue, 'unknown') AS step,
        calls.duration_s,
        calls.customer_id,
        calls.is_simulated,
        measures.*
    FROM calls
    INNER JOIN facts.call_measures AS measures ON measures.call_no = calls.call_no
)
SELECT
    step,
    is_simulated,
    count(*) AS calls,
    count(DISTINCT customer_id) AS customers,
    count(friction_repeat) AS measured_calls,
    count_if(friction_repeat + friction_transfer + friction_hold + coalesce(reasks, 0) > 0)
        AS calls_with_friction,
    calls_with_friction / nullif(measured_calls, 0) AS friction_rate,
    wilson(calls_with_friction, measured_calls).low AS friction_low,
    wilson(calls_with_friction, measured_calls).high AS friction_high,
    sum(friction_repeat) AS repeats,
    sum(friction_transfer) AS transfers,
    sum(friction_hold) AS waits,
    sum(reasks) AS reasks,
    sum(hold_s) AS hold_s,
    sum(dead_air_s) AS dead_air_s,
    sum(opportunities) AS opportunities,
    sum(answerable) AS answerable,
    sum(answered) AS answered,
    sum(answered) / nullif(sum(answerable), 0) AS answered_rate
FROM steps
GROUP BY step, is_simulated;

COMMENT ON VIEW friction_by_step IS 'One row a step of the customer''s journey: what it costs customers to get through. Step: metadata field journey_step, else the reason of the contact, else the queue.';
COMMENT ON COLUMN friction_by_step.step IS 'The step of the journey.';
COMMENT ON COLUMN friction_by_step.is_simulated IS 'True for calls made by warmline simulate, which are never added to real ones.';
COMMENT ON COLUMN friction_by_step.calls IS 'Calls analyzed.';
COMMENT ON COLUMN friction_by_step.customers IS 'Different customers.';
COMMENT ON COLUMN friction_by_step.measured_calls IS 'Calls whose friction could be measured, because it is known who the customer is.';
COMMENT ON COLUMN friction_by_step.calls_with_friction IS 'Calls with a repeat, a transfer, a wait or a re-asked item.';
COMMENT ON COLUMN friction_by_step.friction_rate IS 'calls_with_friction over measured_calls.';
COMMENT ON COLUMN friction_by_step.friction_low IS 'Lower end of the 95 % interval of friction_rate (Wilson).';
COMMENT ON COLUMN friction_by_step.friction_high IS 'Upper end of that interval.';
COMMENT ON COLUMN friction_by_step.repeats IS 'Times customers said it is again, or the third time.';
COMMENT ON COLUMN friction_by_step.transfers IS 'Transfers told of or announced.';
COMMENT ON COLUMN friction_by_step.waits IS 'Waits told of or heard.';
COMMENT ON COLUMN friction_by_step.reasks IS 'Items the agents asked for again.';
COMMENT ON COLUMN friction_by_step.hold_s IS 'Seconds on hold.';
COMMENT ON COLUMN friction_by_step.dead_air_s IS 'Seconds of dead air.';
COMMENT ON COLUMN friction_by_step.opportunities IS 'Cues that asked for empathy.';
COMMENT ON COLUMN friction_by_step.answerable IS 'Cues after which the agent spoke.';
COMMENT ON COLUMN friction_by_step.answered IS 'Cues that were answered.';
COMMENT ON COLUMN friction_by_step.answered_rate IS 'Answered over answerable cues.';
