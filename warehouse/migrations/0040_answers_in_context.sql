-- Whose cue it was to answer, and the answer as the Verona definitions code it (Del Piccolo et al. 2011).

ALTER TABLE opportunities ADD COLUMN heard_by VARCHAR;
COMMENT ON COLUMN opportunities.heard_by IS 'The agent''s party who was on the line when the cue was said (parties.party): another agent''s answer is neither credit nor charge. NULL where no agent spoke, and for calls analyzed before it was known.';
ALTER TABLE opportunities ADD COLUMN answer_is_explicit BOOLEAN;
COMMENT ON COLUMN opportunities.answer_is_explicit IS 'VR-CoDES: whether the answer takes up the words or the matter of the cue; NULL where answer is, and for calls analyzed before it was known.';
ALTER TABLE opportunities ADD COLUMN answer_gives_space BOOLEAN;
COMMENT ON COLUMN opportunities.answer_gives_space IS 'VR-CoDES: true when the answer gives space (explores, acknowledges, empathises), false when it reduces it (ignores, switches, advises, informs, postpones, blocks); NULL where answer is, and for calls analyzed before it was known.';
COMMENT ON COLUMN opportunities.latency_s IS 'From the end of the cue to the start of the answering turn, or of the answering words where that turn had begun before, seconds; never negative.';
