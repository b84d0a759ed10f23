-- Every turn that holds a phrase, with when it was said and by whom.
-- $text VARCHAR: the phrase, upper and lower case alike
-- $role VARCHAR = NULL: only turns of agent or customer
-- $since DATE = NULL: only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
SELECT
    turns.call_id, calls.started_at, calls.agent_id, turns.role, turns.party, turns.start_s,
    turns.text, calls.path
FROM turns
INNER JOIN calls ON calls.call_id = turns.call_id
WHERE contains(lower(turns.text), lower($text))
    AND ($role IS NULL OR turns.role = $role)
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
ORDER BY calls.started_at DESC, turns.call_id, turns.start_s
LIMIT $n;
