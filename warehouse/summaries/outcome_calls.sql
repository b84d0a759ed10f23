INSERT INTO outcome_calls BY NAME
WITH known AS (
    SELECT
        call_id, call_no, customer_id, started_at, agent_id, is_simulated,
        trim(claimed_call_id) AS claim,
        trim(claimed_call_id) || '~' || split_part(landing_key, '/', 2)[:8] AS exact_name
    FROM calls
    WHERE status = 'analyzed'
),
-- Whose an outcome is cannot be told by an id that calls share; each has a name of its own.
shared AS (SELECT claim FROM known GROUP BY claim HAVING count(*) > 1),
named AS (
    SELECT call_id AS given_name, known.* FROM known ANTI JOIN shared ON shared.claim = known.call_id
    UNION ALL
    SELECT exact_name AS given_name, * FROM known WHERE call_id = claim
),
placed AS (
    SELECT
        *,
        occurred_at + CASE WHEN is_whole_day THEN INTERVAL 86399999 MILLISECONDS
            ELSE INTERVAL 0 SECONDS END AS at_latest
    FROM outcomes
),
tied AS (
    SELECT placed.*, named.call_id, named.call_no, named.started_at, named.agent_id, named.is_simulated
    FROM placed
    LEFT JOIN named ON named.given_name = placed.given_call_id
    WHERE placed.given_call_id IS NOT NULL
    UNION ALL
    SELECT placed.*, known.call_id, known.call_no, known.started_at, known.agent_id, known.is_simulated
    FROM placed
    ASOF LEFT JOIN (FROM known WHERE started_at IS NOT NULL) AS known
        ON known.customer_id = placed.customer_id AND placed.at_latest >= known.started_at
    WHERE placed.given_call_id IS NULL
)
SELECT
    tied.name,
    tied.value,
    tied.text,
    tied.customer_id,
    tied.given_call_id,
    tied.occurred_at,
    tied.is_whole_day,
    tied.at_latest,
    tied.call_id,
    tied.call_no,
    tied.started_at,
    date_diff('second', tied.started_at, tied.at_latest) / 86400 AS days_after,
    tied.agent_id,
    tied.is_simulated,
    CASE
        WHEN tied.call_id IS NOT NULL THEN NULL
        WHEN tied.given_call_id IN (FROM shared) THEN 'more than one call has this id'
        WHEN tied.given_call_id IS NOT NULL THEN 'no analyzed call of this id'
        WHEN tied.customer_id IN (SELECT customer_id FROM known WHERE started_at IS NOT NULL)
            THEN 'only calls after it'
        WHEN tied.customer_id IN (SELECT customer_id FROM known) THEN 'only calls without a time'
        WHEN tied.customer_id IN (SELECT customer_id FROM calls) THEN 'no call that was analyzed'
        ELSE 'no call of this customer'
    END AS unmatched_reason,
    tied.source,
    tied.line
FROM tied
ORDER BY tied.name, tied.call_no;
