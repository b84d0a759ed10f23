CREATE VIEW review_detail AS
WITH last_word AS (
    SELECT *
    FROM reviews
    QUALIFY row_number() OVER (
        PARTITION BY landing_key, subject, name, role, start_s, end_s, reviewer
        ORDER BY reviewed_at DESC, review_id) = 1
),
cue_now AS (
    SELECT
        last_word.review_id, o.opportunity_index, coalesce(o.answer, 'no_answer') AS says
    FROM last_word
    INNER JOIN calls ON calls.landing_key = last_word.landing_key
    INNER JOIN facts.opportunities AS o
        ON o.call_no = calls.call_no AND o.kind = last_word.name
        AND o.start_s < last_word.end_s AND o.end_s > last_word.start_s
    WHERE last_word.subject = 'cue'
    QUALIFY row_number() OVER (
        PARTITION BY last_word.review_id
        ORDER BY least(o.end_s, last_word.end_s) - greatest(o.start_s, last_word.start_s) DESC,
            o.opportunity_index) = 1
),
metric_now AS (
    SELECT last_word.review_id, m.party, round(m.value, 6)::VARCHAR AS says
    FROM last_word
    INNER JOIN calls ON calls.landing_key = last_word.landing_key
    INNER JOIN facts.metrics AS m
        ON m.call_no = calls.call_no AND m.name = last_word.name
        AND m.role IS NOT DISTINCT FROM last_word.role
    WHERE last_word.subject = 'metric'
    QUALIFY row_number() OVER (PARTITION BY last_word.review_id ORDER BY m.party) = 1
)
SELECT
    r.review_id,
    r.reviewed_at,
    r.reviewer,
    coalesce(calls.call_id, r.given_call_id) AS call_id,
    r.subject,
    r.name,
    r.role,
    metric_now.party,
    cue_now.opportunity_index,
    r.start_s,
    r.end_s,
    r.verdict,
    r.should_be,
    r.reason,
    r.machine_said,
    coalesce(cue_now.says, metric_now.says) AS machine_says,
    cue_now.review_id IS NOT NULL OR metric_now.review_id IS NOT NULL AS is_there,
    is_there AND machine_says IS NOT DISTINCT FROM r.machine_said AS is_unchanged,
    calls.started_at,
    calls.agent_id,
    calls.team,
    calls.queue,
    calls.path
FROM last_word AS r
LEFT JOIN calls ON calls.landing_key = r.landing_key
LEFT JOIN cue_now ON cue_now.review_id = r.review_id
LEFT JOIN metric_now ON metric_now.review_id = r.review_id;

COMMENT ON VIEW review_detail IS 'One row a reviewer''s last word on a row of the ledger or a measure, with what the machine says now.';
COMMENT ON COLUMN review_detail.call_id IS 'The call (calls.call_id); of a recording that is gone, what it was called.';
COMMENT ON COLUMN review_detail.verdict IS 'right or wrong, or withdrawn: then the reviewer says nothing of it any more.';
COMMENT ON COLUMN review_detail.name IS 'Kind of the cue or name of the measure.';
COMMENT ON COLUMN review_detail.role IS 'Of a measure of one party: agent or customer; else NULL.';
COMMENT ON COLUMN review_detail.party IS 'Of a measure of one party: the party (parties.party); else NULL.';
COMMENT ON COLUMN review_detail.opportunity_index IS 'The row of the ledger that the review speaks of now: of the same kind, overlapping most; NULL when there is none any more.';
COMMENT ON COLUMN review_detail.start_s IS 'Start of the cue when it was reviewed, seconds on the call''s clock.';
COMMENT ON COLUMN review_detail.end_s IS 'End of the cue when it was reviewed, seconds on the call''s clock.';
COMMENT ON COLUMN review_detail.should_be IS 'What it should be; NULL when the reviewer did not say.';
COMMENT ON COLUMN review_detail.reason IS 'Why, in the reviewer''s words.';
COMMENT ON COLUMN review_detail.machine_said IS 'What the machine said when it was reviewed; NULL when it could not say.';
COMMENT ON COLUMN review_detail.machine_says IS 'What the machine says now.';
COMMENT ON COLUMN review_detail.is_there IS 'Whether the machine still has that row or measure.';
COMMENT ON COLUMN review_detail.is_unchanged IS 'Whether it still says what was reviewed; only then does the verdict hold.';
COMMENT ON COLUMN review_detail.started_at IS 'When the call began, UTC; NULL when the metadata does not say.';
COMMENT ON COLUMN review_detail.agent_id IS 'Who took the call, from the metadata.';
COMMENT ON COLUMN review_detail.team IS 'The agent''s team, from the metadata.';
COMMENT ON COLUMN review_detail.path IS 'Where the recording lay when it was analyzed.';
