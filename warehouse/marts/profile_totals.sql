CREATE TABLE profile_totals (
    call_no INTEGER NOT NULL,
    agent_id VARCHAR,
    team VARCHAR,
    is_simulated BOOLEAN NOT NULL,
    component VARCHAR NOT NULL,
    calls BIGINT NOT NULL,
    amount DOUBLE NOT NULL,
    exposure DOUBLE NOT NULL,
    squares DOUBLE NOT NULL
);
COMMENT ON TABLE profile_totals IS 'One row an agent, team and component of the empathy profile, for every block of 20,000 calls: the sums of profile_counts, so that a night adds up its own calls only. Key: call_no, agent_id, team, is_simulated, component.';
COMMENT ON COLUMN profile_totals.call_no IS 'Where the block begins (calls.call_no); a multiple of 20,000.';
COMMENT ON COLUMN profile_totals.agent_id IS 'Who took the calls, from the metadata; NULL when it does not say.';
COMMENT ON COLUMN profile_totals.team IS 'The agent''s team, from the metadata; NULL when it does not say.';
COMMENT ON COLUMN profile_totals.is_simulated IS 'True for calls made by warmline simulate.';
COMMENT ON COLUMN profile_totals.component IS 'The component (profile_counts.component).';
COMMENT ON COLUMN profile_totals.calls IS 'Calls in which it could be measured.';
COMMENT ON COLUMN profile_totals.amount IS 'Sum of their amounts.';
COMMENT ON COLUMN profile_totals.exposure IS 'Sum of their exposures.';
COMMENT ON COLUMN profile_totals.squares IS 'Sum of the squares of their amounts, each over its exposure.';

-- fill: the calls from number $first to $last.
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
FROM profile_of($first, $last)
GROUP BY agent_id, team, is_simulated, component
ORDER BY agent_id, team, is_simulated, component;
