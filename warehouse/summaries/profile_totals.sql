INSERT INTO profile_totals BY NAME
SELECT
    $first AS call_no,
    agent_id,
    team,
    is_simulated,
    component,
    count(*) AS calls,
    sum(amount) AS amount,
    sum(exposure) AS exposure,
    sum(amount * amount / exposure) AS squares
FROM profile_counts
WHERE profile_counts.call_no BETWEEN $first AND $last
GROUP BY agent_id, team, is_simulated, component
ORDER BY agent_id, team, is_simulated, component;
