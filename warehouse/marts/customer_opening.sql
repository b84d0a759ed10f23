CREATE TABLE facts.customer_opening (
    call_no INTEGER NOT NULL,
    quarter_end_s DOUBLE NOT NULL,
    opening_words BIGINT NOT NULL,
    opening_rate_words_per_s DOUBLE,
    opening_level_rel_db DOUBLE,
    opening_cues BIGINT NOT NULL,
    opening_cue_strength DOUBLE NOT NULL,
    opening_hostile BIGINT NOT NULL,
    opening_friction BIGINT NOT NULL
);
COMMENT ON VIEW customer_opening IS 'One row a call whose customer is known and whose words were read: the customer''s state in the first quarter of the conversation, before most of what the agent does. Worked out from the rows of the call. Key: call_id.';
COMMENT ON COLUMN customer_opening.quarter_end_s IS 'End of the first quarter of the time from the first turn to the last, seconds on the call''s clock.';
COMMENT ON COLUMN customer_opening.opening_words IS 'Words of the customer in it.';
COMMENT ON COLUMN customer_opening.opening_rate_words_per_s IS 'Words per second of the customer''s speech in it; NULL when the customer says nothing in it.';
COMMENT ON COLUMN customer_opening.opening_level_rel_db IS 'Median level of the customer''s turns in it, dB re the customer''s own call median; it therefore depends on the rest of the call, too.';
COMMENT ON COLUMN customer_opening.opening_cues IS 'Cues of feelings in it.';
COMMENT ON COLUMN customer_opening.opening_cue_strength IS 'Strength of the strongest of them, 0..1; 0 when there is none.';
COMMENT ON COLUMN customer_opening.opening_hostile IS 'Hostile words and open complaints of the customer in it.';
COMMENT ON COLUMN customer_opening.opening_friction IS 'Times the customer tells in it of having to repeat, of transfers or of waits.';

-- fill: the calls from number $first to $last.
INSERT INTO facts.customer_opening BY NAME
WITH spans AS (
    SELECT call_no, min(start_s) AS start_s, max(end_s) AS end_s,
        min(start_s) + (max(end_s) - min(start_s)) / 4 AS quarter_end_s
    FROM facts.turns
    WHERE call_no BETWEEN $first AND $last
    GROUP BY call_no
),
spoken AS (
    SELECT
        turns.call_no,
        sum(turns.word_count) AS word_count,
        sum(turns.speech_s) AS speech_s,
        median(turns.level_rel_db) AS level_rel_db
    FROM facts.turns
    INNER JOIN spans ON spans.call_no = turns.call_no
    WHERE turns.call_no BETWEEN $first AND $last AND turns.role = 'customer'
        AND (turns.start_s + turns.end_s) / 2 < spans.quarter_end_s
    GROUP BY turns.call_no
),
shown AS (
    SELECT
        opportunities.call_no,
        count(*) AS cues,
        max(opportunities.strength) AS cue_strength
    FROM facts.opportunities
    INNER JOIN spans ON spans.call_no = opportunities.call_no
    WHERE opportunities.call_no BETWEEN $first AND $last
        AND opportunities.start_s < spans.quarter_end_s
    GROUP BY opportunities.call_no
),
told AS (
    SELECT
        moments.call_no,
        count_if(moments.kind IN ('hostile', 'complaint')) AS hostile,
        count_if(moments.kind LIKE 'friction_%') AS friction
    FROM facts.moments
    INNER JOIN spans ON spans.call_no = moments.call_no
    WHERE moments.call_no BETWEEN $first AND $last AND moments.role = 'customer'
        AND moments.start_s < spans.quarter_end_s
    GROUP BY moments.call_no
)
SELECT
    calls.call_no,
    spans.quarter_end_s,
    coalesce(spoken.word_count, 0)::BIGINT AS opening_words,
    spoken.word_count / nullif(spoken.speech_s, 0) AS opening_rate_words_per_s,
    spoken.level_rel_db AS opening_level_rel_db,
    coalesce(shown.cues, 0) AS opening_cues,
    coalesce(shown.cue_strength, 0) AS opening_cue_strength,
    coalesce(told.hostile, 0)::BIGINT AS opening_hostile,
    coalesce(told.friction, 0)::BIGINT AS opening_friction
FROM spans
INNER JOIN calls ON calls.call_no = spans.call_no
LEFT JOIN spoken ON spoken.call_no = spans.call_no
LEFT JOIN shown ON shown.call_no = spans.call_no
LEFT JOIN told ON told.call_no = spans.call_no
WHERE calls.customer_party IS NOT NULL AND calls.no_ledger_reason IS NULL
ORDER BY calls.call_no;
