-- Spans begin before they end, and lie on the call's clock; decoders may be a second off at its end.
SELECT 'turns' AS table_name, t.call_id, t.start_s, t.end_s FROM turns AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'words', t.call_id, t.start_s, t.end_s FROM words AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'utterances', t.call_id, t.start_s, t.end_s FROM utterances AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'redactions', t.call_id, t.start_s, t.end_s FROM redactions AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'speech_segments', t.call_id, t.start_s, t.end_s FROM speech_segments AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'tones', t.call_id, t.start_s, t.end_s FROM tones AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'speech_overlaps', t.call_id, t.start_s, t.end_s FROM speech_overlaps AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'silences', t.call_id, t.start_s, t.end_s FROM silences AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'backchannels', t.call_id, t.start_s, t.end_s FROM backchannels AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'moments', t.call_id, t.start_s, t.end_s FROM moments AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'turn_feelings', t.call_id, t.start_s, t.end_s FROM turn_feelings AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'opportunities', t.call_id, t.start_s, t.end_s FROM opportunities AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'quotes', t.call_id, t.start_s, t.end_s FROM quotes AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.start_s <= t.end_s AND t.start_s >= -0.001 AND t.end_s <= calls.duration_s + 1)
UNION ALL
SELECT 'floor_transfers', t.call_id, t.at_s, t.at_s FROM floor_transfers AS t INNER JOIN calls USING (call_id)
WHERE NOT (t.at_s >= -0.001 AND t.at_s <= calls.duration_s + 1);
