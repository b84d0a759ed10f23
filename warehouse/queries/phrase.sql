-- Every turn that holds a phrase, with when it was said and by whom.
-- $text VARCHAR: the phrase, upper and lower case alike
-- $role VARCHAR = NULL: only turns of agent or customer
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH asked AS (SELECT DISTINCT unnest(words_said($text)) AS word),
-- Whatever is part of a stop word cannot be looked up; if nothing else is asked, turns are read.
looked_up AS (
    SELECT word FROM asked
    WHERE NOT EXISTS (FROM search.stop_words AS stop WHERE contains(stop.word, asked.word))
),
terms AS (
    SELECT DISTINCT looked_up.word, known.term_id
    FROM looked_up INNER JOIN search.words AS known ON contains(known.word, looked_up.word)
),
candidates AS (
    SELECT postings.call_no, postings.turn_index
    FROM search.postings AS postings
    INNER JOIN terms USING (term_id)
    WHERE postings.call_no BETWEEN
        (SELECT min(call_no) FROM calls WHERE $since IS NULL OR calls.started_at >= $since)
        AND (SELECT max(call_no) FROM calls WHERE $until IS NULL OR calls.started_at < $until)
    GROUP BY postings.call_no, postings.turn_index
    HAVING count(DISTINCT terms.word) = (SELECT count(*) FROM looked_up)
),
picked AS (
    SELECT turns.call_no, turns.turn_index, turns.role, turns.party, turns.start_s, turns.text
    FROM turns INNER JOIN candidates USING (call_no, turn_index)
    UNION ALL
    SELECT turns.call_no, turns.turn_index, turns.role, turns.party, turns.start_s, turns.text
    FROM turns
    WHERE NOT EXISTS (FROM looked_up)
)
SELECT
    calls.call_id, calls.started_at, calls.agent_id, picked.role, picked.party, picked.start_s,
    picked.text, calls.path
FROM picked
INNER JOIN calls ON calls.call_no = picked.call_no
WHERE contains(lower(picked.text), lower($text))
    AND ($role IS NULL OR picked.role = $role)
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
ORDER BY calls.started_at DESC, calls.call_id, picked.start_s
LIMIT $n;
