-- The headline values beside each other are those of the long table.
SELECT m.call_id, m.name, m.role, m.value
FROM metrics AS m
INNER JOIN calls ON calls.call_id = m.call_id AND calls.status = 'analyzed'
LEFT JOIN call_measures AS s ON s.call_id = m.call_id
WHERE m.name IN ('talk_share', 'interruptions', 'answered_rate', 'dead_air_s')
    AND m.value IS DISTINCT FROM CASE
        WHEN m.party IS NULL AND m.name = 'answered_rate' THEN s.answered_rate
        WHEN m.party IS NULL AND m.name = 'dead_air_s' THEN s.dead_air_s
        WHEN m.party = calls.agent_party AND m.name = 'talk_share' THEN s.agent_talk_share
        WHEN m.party = calls.customer_party AND m.name = 'talk_share' THEN s.customer_talk_share
        WHEN m.party = calls.agent_party AND m.name = 'interruptions' THEN s.agent_interruptions
        WHEN m.party = calls.customer_party AND m.name = 'interruptions'
            THEN s.customer_interruptions
        ELSE m.value
    END;
