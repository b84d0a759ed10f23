-- Every turn that holds a phrase, with when it was said and by whom.
-- $text VARCHAR: the phrase, upper and lower case alike
-- $role VARCHAR = NULL: only turns of agent or customer
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH in_period AS (
    SELECT call_no FROM calls
    WHERE ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
),
asked AS (SELECT DISTINCT unnest(words_said($text)) AS word),
-- The limits tell the planner that these are fewer than postings and turns; none is ever reached.
-- Whatever is part of a stop word cannot be looked up; if nothing else is asked, turns are read.
looked_up AS (
    SELECT word FROM asked
    WHERE NOT EXISTS (FROM search.stop_words AS stop WHERE contains(stop.word, asked.word))
),
terms AS (
    SELECT DISTINCT looked_up.word, known.term_id
    FROM looked_up INNER JOIN search.words AS known ON contains(known.word, looked_up.word)
    LIMIT 100000
),
candidates AS (
    SELECT postings.call_no, postings.turn_index
    FROM search.postings AS postings
    INNER JOIN terms USING (term_id)
    GROUP BY postings.call_no, postings.turn_index
    HAVING count(DISTINCT terms.word) = (SELECT count(*) FROM looked_up)
    LIMIT 2000000
),
found AS (
    SELECT turns.call_no, turns.role, turns.party, turns.start_s, turns.text
    FROM turns INNER JOIN candidates USING (call_no, turn_index)
    UNION ALL
    SELECT turns.call_no, turns.role, turns.party, turns.start_s, turns.text
    FROM turns
    INNER JOIN (FROM in_period WHERE NOT EXISTS (FROM looked_up)) USING (call_no)
)
SELECT
    calls.call_id, calls.started_at, calls.agent_id, found.role, found.party, found.start_s,
    found.text, calls.path
FROM found
INNER JOIN calls ON calls.call_no = found.call_no
WHERE contains(lower(found.text), lower($text))
    AND ($role IS NULL OR found.role = $role)
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
ORDER BY calls.started_at DESC, calls.call_id, found.start_s
LIMIT $n;
