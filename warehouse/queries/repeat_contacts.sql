-- Customers who called again soon, and what the calls were about.
-- $days INTEGER = 7: at most so many days between two calls
-- $min_calls INTEGER = 2: at least so many calls in a row
-- $since DATE = four_weeks_to($until): only calls that began on this day or later, UTC
-- $until DATE = NULL: only calls that began before this day, UTC
-- $n INTEGER = 200: at most this many rows
WITH gaps AS (
    SELECT
        customer_id,
        call_id,
        started_at,
        coalesce(started_at - lag(started_at) OVER customer > to_days($days), true) AS is_first
    FROM calls
    WHERE customer_id IS NOT NULL
        AND started_at IS NOT NULL
        AND ($since IS NULL OR calls.started_at >= $since)
        AND ($until IS NULL OR calls.started_at < $until)
    WINDOW customer AS (PARTITION BY customer_id ORDER BY started_at, call_id)
),
runs_of_calls AS (
    SELECT
        customer_id, call_id, started_at,
        count_if(is_first) OVER (PARTITION BY customer_id ORDER BY started_at, call_id) AS run
    FROM gaps
),
picked AS (
    SELECT
        customer_id, count(*) AS calls, min(started_at) AS first_at, max(started_at) AS last_at,
        list(call_id) AS call_ids
    FROM runs_of_calls
    GROUP BY customer_id, run
    HAVING count(*) >= $min_calls
    ORDER BY calls DESC, last_at DESC, customer_id
    LIMIT $n
),
contacts AS (
    SELECT customer_id, calls, first_at, last_at, unnest(call_ids) AS call_id FROM picked
)
SELECT
    contacts.customer_id, calls, first_at, last_at,
    list(DISTINCT contact_reason ORDER BY contact_reason) FILTER (contact_reason IS NOT NULL)
        AS contact_reasons,
    sum(friction_repeat) AS repeats_said,
    max_by(resolution, started_at) AS last_resolution,
    list(call_id ORDER BY started_at, call_id) AS call_ids
FROM contacts
INNER JOIN call_summary USING (call_id)
GROUP BY contacts.customer_id, calls, first_at, last_at
ORDER BY calls DESC, last_at DESC, contacts.customer_id;
