-- Evidence is the words that a rule found ("I feel like nobody"); who reads it wants what was said.
CREATE OR REPLACE MACRO sentence_with(whole, said) AS
    coalesce(
        list_aggregate(
            list_filter(
                list_transform(
                    regexp_extract_all(whole, '(?:\b(?:Mr|Mrs|Ms|Dr|St)\.|\.\d|[^.?!…])+[.?!…]*'),
                    lambda sentence: trim(sentence)
                ),
                lambda sentence: length(sentence) <= 200 AND list_bool_or(
                    list_transform(
                        string_split(said, ' … '),
                        lambda part: contains(lower(sentence), lower(trim(part)))
                    )
                )
            ),
            'string_agg', ' '
        ),
        said
    );

COMMENT ON MACRO sentence_with IS 'The sentences of a text that hold some words, whose parts have ellipses between them; the words themselves where they are in none, or in one of more than 200 characters.';
