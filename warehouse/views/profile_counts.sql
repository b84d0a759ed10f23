CREATE VIEW profile_counts AS
SELECT * FROM profile_of(0, 2147483647);

COMMENT ON VIEW profile_counts IS 'One row a call and component of the empathy profile, with its counts. What cannot be said has no row. Components are behaviour of agents, never what they feel: answering (cues answered / answerable), listening (attentive and cognitive statements / agent''s turns), exploring (open / all questions), acting (affective statements that a commitment follows / all), giving_room (competitive interruptions / minute of the customer''s speech), restraint (dismissals, misplaced offers and premature solutions / agent''s turns), steadiness (absolute change of level under heat, dB / answers under heat).';
COMMENT ON COLUMN profile_counts.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN profile_counts.agent_id IS 'Who took the call, from the metadata.';
COMMENT ON COLUMN profile_counts.team IS 'The agent''s team, from the metadata.';
COMMENT ON COLUMN profile_counts.started_at IS 'When the call began, UTC; NULL when the metadata does not say.';
COMMENT ON COLUMN profile_counts.is_simulated IS 'True for calls made by warmline simulate, which are a population of their own.';
COMMENT ON COLUMN profile_counts.component IS 'The component.';
COMMENT ON COLUMN profile_counts.amount IS 'What is counted or added up.';
COMMENT ON COLUMN profile_counts.exposure IS 'Over how many opportunities, turns, questions, statements, minutes or answers.';
COMMENT ON COLUMN profile_counts.direction IS '1 if more is better by the literature, -1 if less is.';
COMMENT ON COLUMN profile_counts.min_exposure IS 'With a smaller exposure than this there is no score.';
