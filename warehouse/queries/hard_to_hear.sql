-- Calls that were recognised worst: their words and all that rests on them deserve doubt.
-- $min_words INTEGER = 20: only calls with at least so many words
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 50: at most this many rows
SELECT
    calls.call_id, calls.started_at, calls.codec, calls.sample_rate_hz, calls.language,
    calls.word_count, calls.mean_word_probability AS mean_probability,
    calls.doubtful_words / calls.word_count AS doubtful_share,
    list_sum(map_values(calls.dropped_words)) AS dropped_words,
    calls.is_simulated, calls.path
FROM calls
WHERE calls.word_count >= greatest($min_words, 1)
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
ORDER BY mean_probability, calls.call_id
LIMIT $n;
