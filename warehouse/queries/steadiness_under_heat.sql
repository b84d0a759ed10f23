-- Calls with heated customers and how steady the agent stayed: change of level, rate and pitch, near 0 is steady.
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 100: at most this many rows
SELECT
    call_id, started_at, agent_id, heated_turns, hostile,
    agent_steadiness_level_db, agent_steadiness_rate_words_per_s, agent_steadiness_pitch_st,
    answered_rate, is_simulated, path
FROM call_summary AS calls
WHERE agent_steadiness_level_db IS NOT NULL AND heated_turns > 0
    AND ($since IS NULL OR calls.started_at >= $since)
    AND ($until IS NULL OR calls.started_at < $until)
ORDER BY abs(agent_steadiness_level_db) DESC, call_id
LIMIT $n;
