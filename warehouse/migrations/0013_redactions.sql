-- Where something private was said: what kind, when and by whom; what it was is kept nowhere.

CREATE TABLE redactions (
    call_id VARCHAR NOT NULL,
    call_no INTEGER,
    redaction_index BIGINT NOT NULL,
    value_index BIGINT NOT NULL,
    party VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    PRIMARY KEY (call_id, redaction_index)
);
COMMENT ON TABLE redactions IS 'One row a stretch of words that gave way to a placeholder before anything was kept; neither what was said is here, nor how long it was in words or digits. Key: call_id, redaction_index.';
COMMENT ON COLUMN redactions.call_id IS 'The call.';
COMMENT ON COLUMN redactions.call_no IS 'The call (calls.call_no).';
COMMENT ON COLUMN redactions.redaction_index IS 'Place among the stretches of the call, from 0, by start.';
COMMENT ON COLUMN redactions.value_index IS 'Which private thing it belongs to, from 0: a number given in groups is several stretches of one value.';
COMMENT ON COLUMN redactions.party IS 'Who said it (parties.party).';
COMMENT ON COLUMN redactions.kind IS 'What it is: card, security_code, account, iban, sort_code, social_security, birth_date, phone, email, number, address or name. The placeholder in the text is this word in square brackets.';
COMMENT ON COLUMN redactions.start_s IS 'When it begins, seconds on the call''s clock.';
COMMENT ON COLUMN redactions.end_s IS 'When it ends, seconds on the call''s clock.';

ALTER TABLE calls ADD COLUMN redactions BIGINT;
COMMENT ON COLUMN calls.redactions IS 'Stretches of words that gave way to a placeholder (table redactions); NULL when nothing was looked for, because redaction was off or the call was analyzed before there was any.';

COMMENT ON COLUMN words.text IS 'The word as recognised, or a placeholder such as [card] for a stretch of words that was private.';
COMMENT ON COLUMN turns.text IS 'The words as recognised, with placeholders such as [card] for what was private.';
COMMENT ON COLUMN turns.word_count IS 'Words recognised; a stretch that gave way to a placeholder is one.';
COMMENT ON COLUMN calls.word_count IS 'Words recognised, all parties; a stretch that gave way to a placeholder is one.';
