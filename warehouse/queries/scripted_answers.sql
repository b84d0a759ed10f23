-- How far each agent's answers to feelings repeat what the same agent says in other calls: the share of word pairs.
-- A stock phrase is in every call; words that are this customer's are in one. 0 is all new, 1 all said before.
-- $min_answers INTEGER = 10: only agents with at least so many answers
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH answers AS (
    SELECT DISTINCT calls.agent_id, t.call_id, t.turn_index, t.text
    FROM opportunities AS o
    INNER JOIN calls ON calls.call_id = o.call_id
    INNER JOIN turns AS t ON t.call_id = o.call_id AND t.turn_index = o.answer_turn_index
    WHERE calls.agent_id IS NOT NULL AND calls.agents = 1
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
),
worded AS (
    SELECT *, regexp_extract_all(lower(text), '[\p{L}\p{N}'']+') AS words FROM answers
),
paired AS (
    SELECT agent_id, call_id, turn_index, unnest(list_zip(words[:-2], words[2:])) AS pair FROM worded
),
known AS (
    SELECT agent_id, pair, count(DISTINCT call_id) AS calls FROM paired GROUP BY agent_id, pair
)
SELECT
    paired.agent_id,
    count(DISTINCT (paired.call_id, paired.turn_index)) AS answers,
    count(*) AS word_pairs,
    avg((known.calls > 1)::INTEGER) AS said_in_other_calls
FROM paired
INNER JOIN known ON known.agent_id = paired.agent_id AND known.pair = paired.pair
GROUP BY paired.agent_id
HAVING count(DISTINCT (paired.call_id, paired.turn_index)) >= $min_answers
ORDER BY said_in_other_calls DESC, paired.agent_id
LIMIT $n;
