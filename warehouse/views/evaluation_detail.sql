CREATE VIEW evaluation_detail AS
WITH last_word AS (
    SELECT *
    FROM evaluations
    QUALIFY row_number() OVER (
        PARTITION BY landing_key, evaluator, form, calibration_id, evaluated_at
        ORDER BY noted_at DESC, evaluation_id DESC) = 1
)
SELECT
    e.evaluation_id,
    coalesce(calls.call_id, e.given_call_id) AS call_id,
    calls.started_at,
    calls.agent_id,
    calls.team,
    calls.queue,
    e.form,
    e.form_title,
    e.evaluated_at,
    e.evaluator,
    e.given_by,
    e.score,
    e.points,
    e.points_possible,
    len(list_filter(e.answers, lambda a: a.is_critical AND a.answer = 'no')) AS critical_fails,
    len(list_filter(e.answers, lambda a: a.answer = 'not_applicable')) AS not_applicable,
    len(list_filter(e.answers, lambda a: a.is_taken_over)) AS taken_over,
    e.correction_reason,
    e.status,
    e.noted_at,
    e.evaluated_at = max(e.evaluated_at) OVER (
        PARTITION BY e.landing_key, e.evaluator, e.form, e.calibration_id) AS is_current,
    e.calibration_id,
    e.form_sha256,
    e.landing_key
FROM last_word AS e
LEFT JOIN calls ON calls.landing_key = e.landing_key;

COMMENT ON VIEW evaluation_detail IS 'One row a version of an evaluation: a scorecard that a person filled in for a call, with its last status.';
COMMENT ON COLUMN evaluation_detail.call_id IS 'The call (calls.call_id); of a recording that is gone, what it was called.';
COMMENT ON COLUMN evaluation_detail.started_at IS 'When the call began, UTC; NULL when the metadata does not say.';
COMMENT ON COLUMN evaluation_detail.agent_id IS 'Who took the call, from the metadata.';
COMMENT ON COLUMN evaluation_detail.team IS 'The agent''s team, from the metadata.';
COMMENT ON COLUMN evaluation_detail.critical_fails IS 'How many critical questions were answered no; one makes the score 0.';
COMMENT ON COLUMN evaluation_detail.not_applicable IS 'How many questions did not apply, and do not count.';
COMMENT ON COLUMN evaluation_detail.taken_over IS 'How many answers are what the machine had found, which the person took over.';
COMMENT ON COLUMN evaluation_detail.correction_reason IS 'Why its author corrected it, where this version is a correction; else NULL.';
COMMENT ON COLUMN evaluation_detail.is_current IS 'Whether this version counts: the newest of this person, form, call and calibration.';
COMMENT ON COLUMN evaluation_detail.status IS 'final, acknowledged or appealed by the agent, upheld or overturned by a lead.';
COMMENT ON COLUMN evaluation_detail.landing_key IS 'The recording that was listened to (calls.landing_key); the same after every reprocessing.';
