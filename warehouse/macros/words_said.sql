-- The words of a text as the search index tells them apart: lower case, no accents, no punctuation.
-- A placeholder ([account]) stands for what was hidden: nobody has said that word.
CREATE OR REPLACE MACRO words_said(said) AS
    regexp_extract_all(
        lower(strip_accents(replace(regexp_replace(said, '\[\w+\]', ' ', 'g'), '’', ''''))),
        '[\p{L}\p{N}]+(?:''\p{L}+)*'
    );

COMMENT ON MACRO words_said IS 'The words of a text in lower case, without accents, punctuation and placeholders such as [account]; contractions stay whole.';
