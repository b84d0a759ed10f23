-- How far each agent's answers to feelings repeat what the same agent says in other calls: the share of word pairs.
-- A stock phrase is in every call; words that are this customer's are in one. 0 is all new, 1 all said before.
-- In order of name: who has more answers here repeats more of them by that alone, so that agents are to
-- be set beside others with as many.
-- said_low, said_high: 95 % interval (Wilson, at as many pairs as these are worth: those of one call are alike).
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
),
of_call AS (
    SELECT
        paired.agent_id,
        paired.call_id,
        count(DISTINCT paired.turn_index) AS answers,
        count(*) AS pairs,
        count_if(known.calls > 1) AS said
    FROM paired
    INNER JOIN known ON known.agent_id = paired.agent_id AND known.pair = paired.pair
    GROUP BY paired.agent_id, paired.call_id
),
summed AS (
    SELECT
        agent_id,
        sum(answers) AS answers,
        sum(pairs) AS word_pairs,
        sum(said) / sum(pairs) AS said_in_other_calls,
        greatest(1.0, coalesce(
            (sum(said ** 2) - 2 * sum(said) / sum(pairs) * sum(said * pairs)
                + (sum(said) / sum(pairs)) ** 2 * sum(pairs ** 2))
            / nullif(sum(said) / sum(pairs) * (1 - sum(said) / sum(pairs))
                * (sum(pairs) - sum(pairs ** 2) / sum(pairs)), 0), 1.0)) AS design_effect
    FROM of_call
    GROUP BY agent_id
    HAVING sum(answers) >= $min_answers
)
SELECT
    agent_id, answers, word_pairs, said_in_other_calls,
    wilson(said_in_other_calls * (word_pairs / design_effect), word_pairs / design_effect).low
        AS said_low,
    wilson(said_in_other_calls * (word_pairs / design_effect), word_pairs / design_effect).high
        AS said_high
FROM summed
ORDER BY agent_id
LIMIT $n;
