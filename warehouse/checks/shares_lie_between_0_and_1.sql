-- Shares, coverages, confidences and probabilities lie between 0 and 1.
SELECT call_id, party, name, value
FROM metrics
WHERE coverage NOT BETWEEN 0 AND 1.000001 OR confidence NOT BETWEEN 0 AND 1.000001
    OR (value NOT BETWEEN 0 AND 1.000001
        AND name IN (SELECT name FROM metric_definitions WHERE unit = 'share'))
UNION ALL
SELECT call_id, party, 'words.probability', probability
FROM words WHERE probability NOT BETWEEN 0 AND 1.000001
UNION ALL
SELECT call_id, NULL, 'opportunities.strength', strength
FROM opportunities WHERE strength NOT BETWEEN 0 AND 1.000001
UNION ALL
SELECT call_id, NULL, 'turn_empathy.empathy', empathy
FROM turn_empathy WHERE empathy NOT BETWEEN 0 AND 1.000001
UNION ALL
SELECT call_id, party, 'moments.strength', strength
FROM moments WHERE strength NOT BETWEEN 0 AND 1.000001
UNION ALL
SELECT call_id, NULL, 'calls.speaker_confidence', speaker_confidence
FROM calls WHERE speaker_confidence NOT BETWEEN 0 AND 1.000001;
