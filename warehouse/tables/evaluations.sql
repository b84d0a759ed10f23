-- Scorecards that people filled in for calls, as they were given.

CREATE TABLE evaluations (
    evaluation_id VARCHAR PRIMARY KEY,
    noted_at TIMESTAMP NOT NULL,
    evaluated_at TIMESTAMP NOT NULL,
    evaluator VARCHAR NOT NULL,
    given_by VARCHAR NOT NULL,
    given_call_id VARCHAR NOT NULL,
    landing_key VARCHAR NOT NULL,
    form VARCHAR NOT NULL,
    form_title VARCHAR NOT NULL,
    form_sha256 VARCHAR NOT NULL,
    calibration_id BIGINT,
    status VARCHAR NOT NULL,
    score DOUBLE,
    points DOUBLE NOT NULL,
    points_possible DOUBLE NOT NULL,
    answers STRUCT(section VARCHAR, question VARCHAR, "text" VARCHAR, answer VARCHAR, weight DOUBLE, is_critical BOOLEAN, note VARCHAR, is_taken_over BOOLEAN)[] NOT NULL,
    correction_reason VARCHAR
);
COMMENT ON TABLE evaluations IS 'One row a status of a version of a scorecard that a person filled in for a call; drafts, and calibrations that are still open, are not here. The views evaluation_detail and evaluation_answers have its last status. Key: evaluation_id.';
COMMENT ON COLUMN evaluations.evaluation_id IS 'Name of this status in the landing folder.';
COMMENT ON COLUMN evaluations.noted_at IS 'When it came to this status, UTC.';
COMMENT ON COLUMN evaluations.evaluated_at IS 'When these answers were given, UTC: another time, another version.';
COMMENT ON COLUMN evaluations.evaluator IS 'Whose evaluation it is.';
COMMENT ON COLUMN evaluations.given_by IS 'Who gave these answers: the evaluator, or the lead who overturned it.';
COMMENT ON COLUMN evaluations.given_call_id IS 'The call as it was called when this was noted.';
COMMENT ON COLUMN evaluations.landing_key IS 'The recording that was listened to (calls.landing_key); the same after every reprocessing.';
COMMENT ON COLUMN evaluations.form IS 'Name of the scorecard: that of its file.';
COMMENT ON COLUMN evaluations.form_title IS 'Title of the scorecard as it was filled in.';
COMMENT ON COLUMN evaluations.form_sha256 IS 'Digest of the scorecard as it was filled in: another one, another version of the form.';
COMMENT ON COLUMN evaluations.calibration_id IS 'The calibration that it was given for; NULL for any other.';
COMMENT ON COLUMN evaluations.status IS 'final, acknowledged or appealed by the agent, upheld or overturned by a lead.';
COMMENT ON COLUMN evaluations.score IS 'Weights of yes over weights of all that applied, 0..1; 0 when a critical question was answered no; NULL when nothing applied.';
COMMENT ON COLUMN evaluations.points IS 'Weights of the questions that were answered yes.';
COMMENT ON COLUMN evaluations.points_possible IS 'Weights of the questions that applied.';
COMMENT ON COLUMN evaluations.answers IS 'The questions in order, each with its answer (yes, no or not_applicable), weight and note, and whether it is what the machine found, which the person took over.';
COMMENT ON COLUMN evaluations.correction_reason IS 'Why its author corrected it, where this version is a correction; else NULL.';
