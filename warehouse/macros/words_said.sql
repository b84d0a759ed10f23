-- The words of a text as the search index tells them apart: lower case, no accents, no punctuation.
CREATE OR REPLACE MACRO words_said(said) AS
    regexp_extract_all(lower(strip_accents(replace(said, '’', ''''))), '[\p{L}\p{N}]+(?:''\p{L}+)*');

COMMENT ON MACRO words_said IS 'The words of a text in lower case, without accents and punctuation; contractions stay whole.';
