-- What customers say, verbatim, with the feeling or matter that makes it worth reading.
-- $cue VARCHAR = NULL: only quotes of this cue: fear_anxiety, complaint, relief, ...
-- $queue VARCHAR = NULL: only calls of this queue
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH picked AS (
    SELECT quotes.call_id, quotes.quote_index
    FROM quotes
    INNER JOIN calls ON calls.call_id = quotes.call_id
    WHERE ($cue IS NULL OR quotes.cue = $cue) AND ($queue IS NULL OR calls.queue = $queue)
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    ORDER BY calls.started_at DESC, calls.call_id, quotes.start_s
    LIMIT $n
)
SELECT
    calls.call_id, calls.started_at, calls.queue, calls.contact_reason, quotes.cue,
    sentence_with(told.text, quotes.text) AS customer_words, quotes.start_s, quotes.end_s, calls.is_simulated,
    calls.path
FROM picked
INNER JOIN calls ON calls.call_id = picked.call_id
INNER JOIN LATERAL (
    SELECT * FROM quotes
    WHERE quotes.call_id = picked.call_id AND quotes.quote_index = picked.quote_index
) AS quotes ON true
LEFT JOIN LATERAL (
    SELECT text FROM turns
    WHERE turns.call_id = picked.call_id AND turns.turn_index = quotes.turn_index
) AS told ON true
ORDER BY calls.started_at DESC, calls.call_id, quotes.start_s;
