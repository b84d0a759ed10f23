-- Of old calls words are erased and measures stay, where the settings say so.

ALTER TABLE calls ADD COLUMN words_erased_at TIMESTAMP;
COMMENT ON COLUMN calls.words_erased_at IS 'When its words and quotations were erased because they were old (retention.words_days), UTC; turns and cues then have no text, and counts of words are NULL. NULL while words are kept.';
