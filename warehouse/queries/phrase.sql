-- Every turn that holds a phrase, with when it was said and by whom.
-- $text VARCHAR: the phrase, upper and lower case alike
-- $role VARCHAR = NULL: only turns of agent or customer
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH in_period AS (
    SELECT call_no, started_at FROM calls
    WHERE ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
),
-- The first word of the phrase may be the end of a longer one, the last word the beginning of one.
asked AS (
    SELECT DISTINCT
        CASE WHEN place = 1 THEN '%' ELSE '' END || words[place]
        || CASE WHEN place = len(words) THEN '%' ELSE '' END AS pattern
    FROM (SELECT words, unnest(range(1, len(words) + 1)) AS place
        FROM (SELECT words_said($text) AS words))
),
-- What may be a stop word cannot be looked up; if nothing else is asked, turns are read.
looked_up AS (
    SELECT pattern FROM asked
    WHERE NOT EXISTS (FROM search.stop_words AS stop WHERE stop.word LIKE asked.pattern)
),
-- The limits tell the planner that these are fewer than postings and turns; none is ever reached.
terms AS (
    SELECT DISTINCT looked_up.pattern, known.term_id
    FROM looked_up INNER JOIN search.words AS known ON known.word LIKE looked_up.pattern
    LIMIT 100000
),
candidates AS MATERIALIZED (
    SELECT postings.call_no, postings.turn_index, any_value(in_period.started_at) AS started_at
    FROM search.postings AS postings
    INNER JOIN terms USING (term_id)
    INNER JOIN in_period USING (call_no)
    WHERE $role IS NULL OR postings.role = $role
    GROUP BY postings.call_no, postings.turn_index
    HAVING count(DISTINCT terms.pattern) = (SELECT count(*) FROM looked_up)
    LIMIT 2000000
),
-- Texts are long to read: of the newest candidates first, of the others if these are not enough.
newest AS (
    SELECT max(started_at) AS since FROM (
        SELECT started_at FROM candidates
        ORDER BY started_at DESC NULLS LAST LIMIT 1 OFFSET 10 * $n
    )
),
-- Read before they are looked at, which a limit holds apart: a scan that looks itself looks at all.
read_newest AS MATERIALIZED (
    SELECT turns.call_no, turns.role, turns.party, turns.start_s, turns.text
    FROM facts.turns AS turns
    INNER JOIN (
        SELECT call_no, turn_index FROM candidates
        WHERE coalesce(started_at >= (SELECT since FROM newest), (SELECT since IS NULL FROM newest))
        LIMIT 2000000
    ) USING (call_no, turn_index)
    LIMIT 2000000
),
of_newest AS MATERIALIZED (FROM read_newest WHERE contains(lower(text), lower($text))),
read_others AS MATERIALIZED (
    SELECT turns.call_no, turns.role, turns.party, turns.start_s, turns.text
    FROM facts.turns AS turns
    INNER JOIN (
        SELECT call_no, turn_index FROM candidates
        WHERE NOT coalesce(
                started_at >= (SELECT since FROM newest), (SELECT since IS NULL FROM newest))
            AND (SELECT count(*) FROM of_newest) < $n
        LIMIT 2000000
    ) USING (call_no, turn_index)
    LIMIT 2000000
),
found AS (
    FROM of_newest
    UNION ALL
    FROM read_others WHERE contains(lower(text), lower($text))
    UNION ALL
    FROM (
        SELECT turns.call_no, turns.role, turns.party, turns.start_s, turns.text
        FROM facts.turns AS turns
        INNER JOIN (
            SELECT call_no FROM in_period WHERE (SELECT count(*) FROM looked_up) = 0 LIMIT 2000000
        ) USING (call_no)
        WHERE $role IS NULL OR turns.role = $role
        LIMIT 2000000000
    )
    WHERE contains(lower(text), lower($text))
)
SELECT
    calls.call_id, calls.started_at, calls.agent_id, found.role, found.party, found.start_s,
    found.text, calls.is_simulated, calls.path
FROM found
INNER JOIN calls ON calls.call_no = found.call_no
ORDER BY calls.started_at DESC, calls.call_id, found.start_s
LIMIT $n;
