-- The counts of the empathy profile, of calls whose rows lie from one number to another: a night adds up its own.
CREATE OR REPLACE MACRO profile_of(first, last) AS TABLE
WITH sides AS (
    SELECT
        calls.call_id, agent_id, team, started_at, is_simulated,
        unnest([
            {
                'component': 'answering',
                'amount': CASE WHEN agents = 1 THEN answered END, 'exposure': answerable
            },
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
    FROM facts.call_measures
    INNER JOIN calls USING (call_no)
    WHERE calls.call_no BETWEEN first AND last
)
SELECT
    sides.*,
    components.direction,
    components.min_exposure
FROM sides
INNER JOIN profile_components AS components USING (component)
WHERE sides.amount IS NOT NULL AND sides.exposure > 0;

COMMENT ON MACRO TABLE profile_of IS 'The counts of the empathy profile, of the calls from one calls.call_no to another: one row a call and component.';
