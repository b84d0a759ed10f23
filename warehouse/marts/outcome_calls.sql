CREATE TABLE outcome_calls (
    name VARCHAR NOT NULL,
    value DOUBLE,
    text VARCHAR,
    customer_id VARCHAR,
    given_call_id VARCHAR,
    occurred_at TIMESTAMP,
    is_whole_day BOOLEAN NOT NULL,
    at_latest TIMESTAMP,
    call_id VARCHAR,
    started_at TIMESTAMP,
    days_after DOUBLE,
    agent_id VARCHAR,
    is_simulated BOOLEAN,
    unmatched_reason VARCHAR,
    source VARCHAR NOT NULL,
    line BIGINT NOT NULL
);
COMMENT ON TABLE outcome_calls IS 'One row an outcome with the call it is tied to: the one that is given, else the customer''s last analyzed call before it. A call that is analyzed later is found, too.';
COMMENT ON COLUMN outcome_calls.name IS 'What it is (outcomes.name).';
COMMENT ON COLUMN outcome_calls.value IS 'The outcome as a number.';
COMMENT ON COLUMN outcome_calls.text IS 'The outcome as it was written, where it is no number.';
COMMENT ON COLUMN outcome_calls.customer_id IS 'Whose outcome it is; NULL when only a call is given.';
COMMENT ON COLUMN outcome_calls.given_call_id IS 'The call that the file names; NULL when it names none.';
COMMENT ON COLUMN outcome_calls.occurred_at IS 'When it was so, UTC.';
COMMENT ON COLUMN outcome_calls.is_whole_day IS 'Whether only the day is known.';
COMMENT ON COLUMN outcome_calls.at_latest IS 'The last moment that it can mean: the end of the day where only the day is known, UTC.';
COMMENT ON COLUMN outcome_calls.call_id IS 'The call it is tied to; NULL when there is none.';
COMMENT ON COLUMN outcome_calls.started_at IS 'When that call began, UTC.';
COMMENT ON COLUMN outcome_calls.days_after IS 'From the beginning of the call to at_latest, days.';
COMMENT ON COLUMN outcome_calls.agent_id IS 'Who took that call.';
COMMENT ON COLUMN outcome_calls.is_simulated IS 'Whether that call was made by warmline simulate.';
COMMENT ON COLUMN outcome_calls.unmatched_reason IS 'Why there is no call; NULL when there is one.';
COMMENT ON COLUMN outcome_calls.source IS 'Name of the file that it was loaded from.';
COMMENT ON COLUMN outcome_calls.line IS 'Line in that file.';

-- fill: all of it.
INSERT INTO outcome_calls BY NAME
WITH known AS (
    SELECT
        call_id, customer_id, started_at, agent_id, is_simulated,
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
    SELECT placed.*, named.call_id, named.started_at, named.agent_id, named.is_simulated
    FROM placed
    LEFT JOIN named ON named.given_name = placed.given_call_id
    WHERE placed.given_call_id IS NOT NULL
    UNION ALL
    SELECT placed.*, known.call_id, known.started_at, known.agent_id, known.is_simulated
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
        WHEN lower(tied.customer_id) IN (SELECT lower(customer_id) FROM calls)
            THEN 'no call of this customer, but of one whose id differs in upper and lower case'
        ELSE 'no call of this customer'
    END AS unmatched_reason,
    tied.source,
    tied.line
FROM tied
ORDER BY tied.name, tied.started_at, tied.call_id;
