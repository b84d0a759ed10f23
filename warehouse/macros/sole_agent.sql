-- Whom the metadata names, where one agent alone speaks in the call: of several it does not say which.
CREATE OR REPLACE MACRO sole_agent(agent_id, agents) AS CASE WHEN agents = 1 THEN agent_id END;

COMMENT ON MACRO sole_agent IS 'The agent of the metadata (calls.agent_id) where the call has one agent (calls.agents); NULL where several speak, as it is not known which of them is named.';
