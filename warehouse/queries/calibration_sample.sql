-- A random sample of analyzed calls for reviewers, the same number from every stratum, of real and of simulated calls; the same seed draws the same calls.
-- $by VARCHAR = 'queue': what the strata are: queue, team, agent_id, speaker_source or answered
-- $per_stratum INTEGER = 3: calls from each
-- $seed INTEGER = 1: another seed draws other calls
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
WITH strata AS (
    SELECT
        coalesce(
            CASE $by
                WHEN 'queue' THEN queue
                WHEN 'team' THEN team
                WHEN 'agent_id' THEN agent_id
                WHEN 'speaker_source' THEN speaker_source
                WHEN 'answered' THEN CASE
                    WHEN answerable > 0 THEN CASE WHEN answered_rate >= 0.5 THEN 'mostly' ELSE 'rarely' END
                    ELSE 'no cue'
                END
                ELSE error('parameter by: ' || $by || ' is not queue, team, agent_id, speaker_source or answered')
            END, 'unknown'
        ) AS stratum,
        call_id,
        is_simulated
    FROM call_summary AS calls
    WHERE status = 'analyzed'
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
),
drawn AS (
    -- The first few by digest, without putting all of them in order.
    SELECT
        stratum,
        is_simulated,
        count(*) AS calls_in_stratum,
        min_by(call_id, md5($seed || call_id), $per_stratum) AS call_ids
    FROM strata
    GROUP BY stratum, is_simulated
),
listed AS (
    SELECT
        stratum,
        calls_in_stratum,
        unnest(call_ids) AS call_id,
        generate_subscripts(call_ids, 1) AS draw
    FROM drawn
)
SELECT
    stratum, draw, calls.call_id, calls.is_simulated, calls.started_at, calls.agent_id, calls.duration_s,
    calls_in_stratum, least($per_stratum, calls_in_stratum) / calls_in_stratum AS chance, calls.path
FROM listed
INNER JOIN calls ON calls.call_id = listed.call_id
ORDER BY calls.is_simulated, stratum, draw;
