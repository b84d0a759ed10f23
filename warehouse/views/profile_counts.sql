CREATE VIEW profile_counts AS
WITH sides AS (
    SELECT
        calls.call_id, calls.call_no, agent_id, team, started_at, is_simulated,
        unnest([
            {'component': 'answering', 'amount': answered, 'exposure': answerable},
            {'component': 'listening', 'amount': attentive + cognitive, 'exposure': agent_turns},
            {
                'component': 'exploring', 'amount': questions_open,
                'exposure': questions_open + questions_closed
            },
            {'component': 'acting', 'amount': affective_followed, 'exposure': affective},
            {
                'component': 'giving_room', 'amount': agent_competitive_interruptions,
                'exposure': customer_talk_s / 60
            },
            {
                'component': 'restraint',
                'amount': dismissive + misplaced_offers + coalesce(premature_solutions, 0),
                'exposure': agent_turns
            },
            {
                'component': 'steadiness',
                'amount': abs(agent_steadiness_level_db) * heated_answers,
                'exposure': heated_answers
            }
        ], recursive := true)
    FROM call_measures
    INNER JOIN calls USING (call_no)
)
SELECT
    sides.*,
    components.direction,
    components.min_exposure
FROM sides
INNER JOIN profile_components AS components USING (component)
WHERE sides.amount IS NOT NULL AND sides.exposure > 0;

COMMENT ON VIEW profile_counts IS 'One row a call and component of the empathy profile, with its counts. What cannot be said has no row. Components are behaviour of agents, never what they feel: answering (cues answered / answerable), listening (attentive and cognitive statements / agent''s turns), exploring (open / all questions), acting (affective statements that a commitment follows / all), giving_room (competitive interruptions / minute of the customer''s speech), restraint (dismissals, misplaced offers and premature solutions / agent''s turns), steadiness (absolute change of level under heat, dB / answers under heat).';
COMMENT ON COLUMN profile_counts.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN profile_counts.call_no IS 'Internal number of the call (calls.call_no); join by call_id.';
COMMENT ON COLUMN profile_counts.agent_id IS 'Who took the call, from the metadata.';
COMMENT ON COLUMN profile_counts.team IS 'The agent''s team, from the metadata.';
COMMENT ON COLUMN profile_counts.started_at IS 'When the call began, UTC; NULL when the metadata does not say.';
COMMENT ON COLUMN profile_counts.is_simulated IS 'True for calls made by warmline simulate, which are a population of their own.';
COMMENT ON COLUMN profile_counts.component IS 'The component.';
COMMENT ON COLUMN profile_counts.amount IS 'What is counted or added up.';
COMMENT ON COLUMN profile_counts.exposure IS 'Over how many opportunities, turns, questions, statements, minutes or answers.';
COMMENT ON COLUMN profile_counts.direction IS '1 if more is better by the literature, -1 if less is.';
COMMENT ON COLUMN profile_counts.min_exposure IS 'With a smaller exposure than this there is no score.';
