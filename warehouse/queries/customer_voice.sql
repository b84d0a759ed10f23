-- What customers say, verbatim, with the feeling or matter that makes it worth reading.
-- $cue VARCHAR = NULL: only quotes of this cue: fear_anxiety, complaint, relief, ...
-- $queue VARCHAR = NULL: only calls of this queue
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
SELECT call_id, started_at, queue, contact_reason, cue, text AS customer_words, start_s, end_s, path
FROM customer_quotes AS calls
WHERE ($cue IS NULL OR cue = $cue) AND ($queue IS NULL OR queue = $queue)
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
ORDER BY started_at DESC, call_id, start_s
LIMIT $n;
