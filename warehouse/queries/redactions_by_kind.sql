-- What private things were said, of each kind: in how many calls, how often, and by whom.
SELECT
    r.kind,
    count(DISTINCT r.call_id) AS calls,
    count(DISTINCT (r.call_id, r.value_index)) AS private_things,
    count(*) AS spans,
    count(*) FILTER (WHERE r.party = calls.customer_party) AS by_customer,
    count(*) FILTER (WHERE r.party = calls.agent_party) AS by_agent,
    round(sum(r.end_s - r.start_s), 1) AS seconds
FROM redactions AS r
INNER JOIN calls USING (call_id)
GROUP BY r.kind
ORDER BY spans DESC, r.kind;
