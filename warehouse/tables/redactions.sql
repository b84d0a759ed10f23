CREATE TABLE facts.redactions (
    call_no INTEGER NOT NULL,
    redaction_index BIGINT NOT NULL,
    value_index BIGINT NOT NULL,
    party VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    PRIMARY KEY (call_no, redaction_index)
);
COMMENT ON VIEW redactions IS 'One row per segment of words that gave way to a placeholder before anything was kept; neither what was said is here, nor how long it was in words or digits. Key: call_id, redaction_index.';
COMMENT ON COLUMN redactions.redaction_index IS 'Place among the spans of the call, from 0, by start.';
COMMENT ON COLUMN redactions.value_index IS 'Which private thing it belongs to, from 0: a number given in groups is several spans of one value.';
COMMENT ON COLUMN redactions.party IS 'Who said it (parties.party).';
COMMENT ON COLUMN redactions.kind IS 'What it is: card, security_code, expiry, account, iban, swift, sort_code, social_security, national_id, birth_date, phone, email, password, vehicle, number, address, name, or a kind of the settings (private_...). The placeholder in the text is this word in square brackets.';
COMMENT ON COLUMN redactions.start_s IS 'When it begins, seconds on the call''s clock.';
COMMENT ON COLUMN redactions.end_s IS 'When it ends, seconds on the call''s clock.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.redactions BY NAME
WITH listed AS (
    SELECT
        call_no,
        unnest(redactions) AS x,
        generate_subscripts(redactions, 1) - 1 AS redaction_index
    FROM staged
)
SELECT
    call_no,
    redaction_index,
    x.value_index,
    x.party,
    x.kind,
    x.start_s,
    x.end_s
FROM listed;
