-- Numbers for the calls, in the order of their loading: text keys are slow to join, and the zone maps
-- of numbers let a question about some days skip the rows of all others.

ALTER TABLE calls ADD COLUMN call_no INTEGER;
UPDATE calls SET call_no = numbered.place
FROM (SELECT call_id, row_number() OVER (ORDER BY started_at, call_id) AS place FROM calls) AS numbered
WHERE numbered.call_id = calls.call_id;
COMMENT ON COLUMN calls.call_no IS 'Number of the call in this warehouse, for joins: older calls have lower ones. One that is analyzed again gets another, so it is not to be kept elsewhere.';

ALTER TABLE parties ADD COLUMN call_no INTEGER;
UPDATE parties SET call_no = calls.call_no FROM calls WHERE calls.call_id = parties.call_id;
COMMENT ON COLUMN parties.call_no IS 'The call (calls.call_no).';

ALTER TABLE stage_keys ADD COLUMN call_no INTEGER;
UPDATE stage_keys SET call_no = calls.call_no FROM calls WHERE calls.call_id = stage_keys.call_id;
COMMENT ON COLUMN stage_keys.call_no IS 'The call (calls.call_no).';

ALTER TABLE models ADD COLUMN call_no INTEGER;
UPDATE models SET call_no = calls.call_no FROM calls WHERE calls.call_id = models.call_id;
COMMENT ON COLUMN models.call_no IS 'The call (calls.call_no).';

ALTER TABLE turns ADD COLUMN call_no INTEGER;
UPDATE turns SET call_no = calls.call_no FROM calls WHERE calls.call_id = turns.call_id;
COMMENT ON COLUMN turns.call_no IS 'The call (calls.call_no).';

ALTER TABLE words ADD COLUMN call_no INTEGER;
UPDATE words SET call_no = calls.call_no FROM calls WHERE calls.call_id = words.call_id;
COMMENT ON COLUMN words.call_no IS 'The call (calls.call_no).';

ALTER TABLE utterances ADD COLUMN call_no INTEGER;
UPDATE utterances SET call_no = calls.call_no FROM calls WHERE calls.call_id = utterances.call_id;
COMMENT ON COLUMN utterances.call_no IS 'The call (calls.call_no).';

ALTER TABLE speech_segments ADD COLUMN call_no INTEGER;
UPDATE speech_segments SET call_no = calls.call_no FROM calls WHERE calls.call_id = speech_segments.call_id;
COMMENT ON COLUMN speech_segments.call_no IS 'The call (calls.call_no).';

ALTER TABLE tones ADD COLUMN call_no INTEGER;
UPDATE tones SET call_no = calls.call_no FROM calls WHERE calls.call_id = tones.call_id;
COMMENT ON COLUMN tones.call_no IS 'The call (calls.call_no).';

ALTER TABLE speech_overlaps ADD COLUMN call_no INTEGER;
UPDATE speech_overlaps SET call_no = calls.call_no FROM calls WHERE calls.call_id = speech_overlaps.call_id;
COMMENT ON COLUMN speech_overlaps.call_no IS 'The call (calls.call_no).';

ALTER TABLE floor_transfers ADD COLUMN call_no INTEGER;
UPDATE floor_transfers SET call_no = calls.call_no FROM calls WHERE calls.call_id = floor_transfers.call_id;
COMMENT ON COLUMN floor_transfers.call_no IS 'The call (calls.call_no).';

ALTER TABLE silences ADD COLUMN call_no INTEGER;
UPDATE silences SET call_no = calls.call_no FROM calls WHERE calls.call_id = silences.call_id;
COMMENT ON COLUMN silences.call_no IS 'The call (calls.call_no).';

ALTER TABLE backchannels ADD COLUMN call_no INTEGER;
UPDATE backchannels SET call_no = calls.call_no FROM calls WHERE calls.call_id = backchannels.call_id;
COMMENT ON COLUMN backchannels.call_no IS 'The call (calls.call_no).';

ALTER TABLE moments ADD COLUMN call_no INTEGER;
UPDATE moments SET call_no = calls.call_no FROM calls WHERE calls.call_id = moments.call_id;
COMMENT ON COLUMN moments.call_no IS 'The call (calls.call_no).';

ALTER TABLE opportunities ADD COLUMN call_no INTEGER;
UPDATE opportunities SET call_no = calls.call_no FROM calls WHERE calls.call_id = opportunities.call_id;
COMMENT ON COLUMN opportunities.call_no IS 'The call (calls.call_no).';

ALTER TABLE quotes ADD COLUMN call_no INTEGER;
UPDATE quotes SET call_no = calls.call_no FROM calls WHERE calls.call_id = quotes.call_id;
COMMENT ON COLUMN quotes.call_no IS 'The call (calls.call_no).';

ALTER TABLE metrics ADD COLUMN call_no INTEGER;
UPDATE metrics SET call_no = calls.call_no FROM calls WHERE calls.call_id = metrics.call_id;
COMMENT ON COLUMN metrics.call_no IS 'The call (calls.call_no).';

ALTER TABLE call_measures ADD COLUMN call_no INTEGER;
UPDATE call_measures SET call_no = calls.call_no FROM calls WHERE calls.call_id = call_measures.call_id;
COMMENT ON COLUMN call_measures.call_no IS 'The call (calls.call_no).';

-- In whose turn people begin to speak at once: to look that up among all turns takes too long.
ALTER TABLE speech_overlaps ADD COLUMN turn_index BIGINT;
COMMENT ON COLUMN speech_overlaps.turn_index IS 'The holder''s turn in which the overlap begins (turns.turn_index); NULL outside all of them.';
ALTER TABLE speech_overlaps ADD COLUMN turn_s DOUBLE;
COMMENT ON COLUMN speech_overlaps.turn_s IS 'Length of that turn, seconds.';
UPDATE speech_overlaps SET turn_index = turns.turn_index, turn_s = turns.end_s - turns.start_s
FROM turns
WHERE turns.call_no = speech_overlaps.call_no AND turns.party = speech_overlaps.holder
    AND speech_overlaps.start_s BETWEEN turns.start_s AND turns.end_s;

-- From words as they are said to what they are looked up by, so that a question needs no stemmer.
CREATE TABLE search.words (
    word VARCHAR NOT NULL,
    term_id INTEGER NOT NULL
);
COMMENT ON TABLE search.words IS 'One row a word that somebody said, but for the stop words. Key: word.';
COMMENT ON COLUMN search.words.word IS 'The word, in lower case, without accents.';
COMMENT ON COLUMN search.words.term_id IS 'The term it is counted under (search.terms.term_id).';
COMMENT ON COLUMN search.calls.call_no IS 'The call (calls.call_no).';
