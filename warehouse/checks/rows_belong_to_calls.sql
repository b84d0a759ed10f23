-- Every row belongs to a call that is there.
SELECT 'turns' AS table_name, call_id FROM turns ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'words', call_id FROM words ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'utterances', call_id FROM utterances ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'redactions', call_id FROM redactions ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'speech_segments', call_id FROM speech_segments ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'tones', call_id FROM tones ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'speech_overlaps', call_id FROM speech_overlaps ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'floor_transfers', call_id FROM floor_transfers ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'silences', call_id FROM silences ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'backchannels', call_id FROM backchannels ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'moments', call_id FROM moments ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'turn_feelings', call_id FROM turn_feelings ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'turn_empathy', call_id FROM turn_empathy ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'opportunities', call_id FROM opportunities ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'quotes', call_id FROM quotes ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'parties', call_id FROM parties ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'stage_keys', call_id FROM stage_keys ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'models', call_id FROM models ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'metrics', call_id FROM metrics ANTI JOIN calls USING (call_no, call_id)
UNION ALL
SELECT 'call_measures', call_id FROM call_measures ANTI JOIN calls USING (call_no, call_id);
