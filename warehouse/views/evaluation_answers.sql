CREATE VIEW evaluation_answers AS
SELECT
    d.evaluation_id,
    d.call_id,
    d.started_at,
    d.agent_id,
    d.team,
    d.queue,
    d.form,
    d.evaluated_at,
    d.evaluator,
    d.given_by,
    each.place AS question_index,
    each.answered.section,
    each.answered.question,
    each.answered."text",
    each.answered.answer,
    each.answered.weight,
    each.answered.is_critical,
    each.answered.note,
    each.answered.is_taken_over,
    d.score,
    d.status,
    d.is_current,
    d.calibration_id
FROM evaluation_detail AS d
INNER JOIN evaluations AS e ON e.evaluation_id = d.evaluation_id
CROSS JOIN LATERAL (
    SELECT unnest(e.answers) AS answered, generate_subscripts(e.answers, 1) AS place
) AS each;

COMMENT ON VIEW evaluation_answers IS 'One row a question of a version of an evaluation (evaluation_detail), with its answer.';
COMMENT ON COLUMN evaluation_answers.call_id IS 'The call (calls.call_id); of a recording that is gone, what it was called.';
COMMENT ON COLUMN evaluation_answers.started_at IS 'When the call began, UTC; NULL when the metadata does not say.';
COMMENT ON COLUMN evaluation_answers.agent_id IS 'Who took the call, from the metadata.';
COMMENT ON COLUMN evaluation_answers.team IS 'The agent''s team, from the metadata.';
COMMENT ON COLUMN evaluation_answers.question_index IS 'Place of the question on the form, from 1.';
COMMENT ON COLUMN evaluation_answers.section IS 'Heading of the form that it stands under.';
COMMENT ON COLUMN evaluation_answers.question IS 'Name of the question on the form.';
COMMENT ON COLUMN evaluation_answers."text" IS 'The question as it was asked.';
COMMENT ON COLUMN evaluation_answers.answer IS 'yes, no or not_applicable.';
COMMENT ON COLUMN evaluation_answers.weight IS 'How much the question counts.';
COMMENT ON COLUMN evaluation_answers.is_critical IS 'Whether a no makes the score 0.';
COMMENT ON COLUMN evaluation_answers.note IS 'What the person wrote beside the answer; NULL when nothing.';
COMMENT ON COLUMN evaluation_answers.is_taken_over IS 'Whether the person took over what the machine had found.';
COMMENT ON COLUMN evaluation_answers.is_current IS 'Whether this version counts: the newest of this person, form, call and calibration.';
COMMENT ON COLUMN evaluation_answers.status IS 'final, acknowledged or appealed by the agent, upheld or overturned by a lead.';
