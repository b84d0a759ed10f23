-- Where words were said: an inverted index of the turns, so that a phrase is found without reading them.

CREATE SCHEMA search;

CREATE TABLE search.stop_words (
    word VARCHAR PRIMARY KEY
);
COMMENT ON TABLE search.stop_words IS 'One row a word too common to be looked up by. Key: word.';
COMMENT ON COLUMN search.stop_words.word IS 'The word, in lower case.';
INSERT INTO search.stop_words VALUES
    ('a'), ('am'), ('an'), ('and'), ('are'), ('as'), ('at'), ('be'), ('been'), ('but'), ('by'),
    ('can'), ('could'), ('did'), ('do'), ('does'), ('for'), ('from'), ('had'), ('has'), ('have'),
    ('he'), ('her'), ('him'), ('his'), ('i'), ('i''m'), ('if'), ('in'), ('is'), ('it'), ('it''s'),
    ('its'), ('just'), ('me'), ('my'), ('of'), ('oh'), ('on'), ('or'), ('our'), ('she'), ('so'),
    ('that'), ('the'), ('their'), ('them'), ('then'), ('there'), ('they'), ('this'), ('to'), ('uh'),
    ('um'), ('us'), ('was'), ('we'), ('were'), ('will'), ('with'), ('would'), ('you'), ('your');

CREATE TABLE search.calls (
    call_no INTEGER PRIMARY KEY,
    content_sha256 VARCHAR NOT NULL,
    indexed_by VARCHAR NOT NULL,
    turns INTEGER NOT NULL,
    terms INTEGER NOT NULL
);
COMMENT ON TABLE search.calls IS 'One row an analyzed call whose turns are in the index. Key: call_no.';
COMMENT ON COLUMN search.calls.call_no IS 'The call (calls.call_no).';
COMMENT ON COLUMN search.calls.content_sha256 IS 'The analysis that was indexed (calls.content_sha256).';
COMMENT ON COLUMN search.calls.indexed_by IS 'Digest of how words are told apart and reduced; another one means the call is indexed again.';
COMMENT ON COLUMN search.calls.turns IS 'Turns of the call with a term in them.';
COMMENT ON COLUMN search.calls.terms IS 'Terms in all of them, repeated ones too.';

CREATE TABLE search.terms (
    term_id INTEGER NOT NULL,
    term VARCHAR NOT NULL
);
COMMENT ON TABLE search.terms IS 'One row a term: what words of one stem have in common. Key: term_id.';
COMMENT ON COLUMN search.terms.term_id IS 'Number of the term.';
COMMENT ON COLUMN search.terms.term IS 'The stem (Snowball, English), in lower case, without accents.';

CREATE TABLE search.words (
    word VARCHAR NOT NULL,
    term_id INTEGER NOT NULL
);
COMMENT ON TABLE search.words IS 'One row a word that somebody said, but for the stop words. Key: word.';
COMMENT ON COLUMN search.words.word IS 'The word, in lower case, without accents.';
COMMENT ON COLUMN search.words.term_id IS 'The term it is counted under (search.terms.term_id).';

CREATE TABLE search.postings (
    term_id INTEGER NOT NULL,
    call_no INTEGER NOT NULL,
    turn_index INTEGER NOT NULL,
    role VARCHAR NOT NULL,
    occurrences INTEGER NOT NULL,
    turn_terms INTEGER NOT NULL
);
COMMENT ON TABLE search.postings IS 'One row a term in a turn. Lies in order of the terms within what one publishing added. Key: term_id, call_no, turn_index.';
COMMENT ON COLUMN search.postings.term_id IS 'The term (search.terms.term_id).';
COMMENT ON COLUMN search.postings.call_no IS 'The call (search.calls.call_no).';
COMMENT ON COLUMN search.postings.turn_index IS 'The turn (turns.turn_index).';
COMMENT ON COLUMN search.postings.role IS 'Role of who speaks the turn (turns.role).';
COMMENT ON COLUMN search.postings.occurrences IS 'How often the term is in the turn.';
COMMENT ON COLUMN search.postings.turn_terms IS 'How many terms the turn has, repeated ones too.';
