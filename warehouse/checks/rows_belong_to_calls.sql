-- Every row belongs to a call that is there: here, the rows of others have no call_id.
SELECT 'turns' AS table_name, count(*) AS row_count FROM turns WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'words', count(*) FROM words WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'utterances', count(*) FROM utterances WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'redactions', count(*) FROM redactions WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'speech_segments', count(*) FROM speech_segments WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'tones', count(*) FROM tones WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'speech_overlaps', count(*) FROM speech_overlaps WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'floor_transfers', count(*) FROM floor_transfers WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'silences', count(*) FROM silences WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'backchannels', count(*) FROM backchannels WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'moments', count(*) FROM moments WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'turn_feelings', count(*) FROM turn_feelings WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'turn_empathy', count(*) FROM turn_empathy WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'opportunities', count(*) FROM opportunities WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'quotes', count(*) FROM quotes WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'parties', count(*) FROM parties WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'stage_keys', count(*) FROM stage_keys WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'models', count(*) FROM models WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'metrics', count(*) FROM metrics WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'call_measures', count(*) FROM call_measures WHERE call_id IS NULL HAVING count(*) > 0
UNION ALL
SELECT 'rescored_calls', count(*) FROM rescored_calls WHERE call_id IS NULL HAVING count(*) > 0;
