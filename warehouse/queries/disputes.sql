-- What reviewers say is wrong, or do not agree on: the machine's word, theirs, and where to listen.
-- $agent VARCHAR = NULL: only calls of this agent
-- $subject VARCHAR = NULL: only cue (rows of the ledger) or only metric
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
SELECT
    calls.call_id, calls.started_at, calls.agent_id, calls.subject, calls.name, calls.role,
    calls.start_s, any_value(calls.machine_says) AS machine_says, review_summary.verdict,
    review_summary.said_wrong, review_summary.said_right, review_summary.should_be, review_summary.remarks, calls.path
FROM review_detail AS calls
INNER JOIN review_summary
    ON review_summary.call_id = calls.call_id AND review_summary.subject = calls.subject
    AND review_summary.name = calls.name AND review_summary.party IS NOT DISTINCT FROM calls.party
    AND review_summary.opportunity_index IS NOT DISTINCT FROM calls.opportunity_index
WHERE calls.is_unchanged AND calls.verdict <> 'withdrawn' AND review_summary.verdict <> 'right'
    AND ($agent IS NULL OR calls.agent_id = $agent)
    AND ($subject IS NULL OR calls.subject = $subject)
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
GROUP BY ALL
ORDER BY calls.started_at DESC, calls.call_id, calls.subject, calls.start_s, calls.name
LIMIT $n;
