-- How well a call was recognised, beside the call: asking 300 million words takes too long.

ALTER TABLE calls ADD COLUMN mean_word_probability DOUBLE;
COMMENT ON COLUMN calls.mean_word_probability IS 'Mean of the recogniser''s own probabilities of the words, 0..1 (words.probability); NULL without words.';
ALTER TABLE calls ADD COLUMN doubtful_words BIGINT;
COMMENT ON COLUMN calls.doubtful_words IS 'Words of a probability under 0.5.';
