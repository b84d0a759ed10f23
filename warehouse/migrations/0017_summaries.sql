-- What many rows of a call, or many calls, come to, kept as tables: to read it all for every question
-- takes too long once there are a million calls.

CREATE TABLE summaries (
    name VARCHAR PRIMARY KEY,
    sha256 VARCHAR NOT NULL
);
COMMENT ON TABLE summaries IS 'One row a table that is worked out from other tables (warehouse/summaries). Key: name.';
COMMENT ON COLUMN summaries.name IS 'The table.';
COMMENT ON COLUMN summaries.sha256 IS 'Digest of the SQL that filled it; another one means it is filled anew.';

CREATE TABLE customer_opening (
    call_id VARCHAR NOT NULL,
    call_no INTEGER NOT NULL,
    quarter_end_s DOUBLE NOT NULL,
    opening_words BIGINT NOT NULL,
    opening_rate_words_per_s DOUBLE,
    opening_level_rel_db DOUBLE,
    opening_cues BIGINT NOT NULL,
    opening_cue_strength DOUBLE NOT NULL,
    opening_hostile BIGINT NOT NULL,
    opening_friction BIGINT NOT NULL
);
COMMENT ON TABLE customer_opening IS 'One row a call whose customer is known and whose words were read: the customer''s state in the first quarter of the conversation, before most of what the agent does. Worked out from the rows of the call. Key: call_no.';
COMMENT ON COLUMN customer_opening.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN customer_opening.call_no IS 'The call (calls.call_no).';
COMMENT ON COLUMN customer_opening.quarter_end_s IS 'End of the first quarter of the time from the first turn to the last, seconds on the call''s clock.';
COMMENT ON COLUMN customer_opening.opening_words IS 'Words of the customer in it.';
COMMENT ON COLUMN customer_opening.opening_rate_words_per_s IS 'Words per second of the customer''s speech in it; NULL when the customer says nothing in it.';
COMMENT ON COLUMN customer_opening.opening_level_rel_db IS 'Median level of the customer''s turns in it, dB re the customer''s own call median; it therefore depends on the rest of the call, too.';
COMMENT ON COLUMN customer_opening.opening_cues IS 'Cues of feelings in it.';
COMMENT ON COLUMN customer_opening.opening_cue_strength IS 'Strength of the strongest of them, 0..1; 0 when there is none.';
COMMENT ON COLUMN customer_opening.opening_hostile IS 'Hostile words and open complaints of the customer in it.';
COMMENT ON COLUMN customer_opening.opening_friction IS 'Times the customer tells in it of having to repeat, of transfers or of waits.';

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
