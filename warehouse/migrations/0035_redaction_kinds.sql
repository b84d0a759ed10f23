-- More kinds of private things are known, and settings may add others.

COMMENT ON COLUMN redactions.kind IS 'What it is: card, security_code, expiry, account, iban, swift, sort_code, social_security, national_id, birth_date, phone, email, password, vehicle, number, address, name, or a kind of the settings (private_...). The placeholder in the text is this word in square brackets.';
