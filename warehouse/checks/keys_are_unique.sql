-- Every row has its key to itself: indices count up from 0 without a gap, names come once.
SELECT 'calls' AS table_name, min(call_id) AS call_id, count(*) AS row_count FROM calls GROUP BY call_no
HAVING count(*) > 1 OR call_no IS NULL
UNION ALL
SELECT 'turns' AS table_name, call_id, count(*) AS row_count FROM turns GROUP BY call_id
HAVING min(turn_index) <> 0 OR max(turn_index) + 1 <> count(*) OR sum(turn_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'words' AS table_name, call_id, count(*) AS row_count FROM words GROUP BY call_id
HAVING min(word_index) <> 0 OR max(word_index) + 1 <> count(*) OR sum(word_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'utterances' AS table_name, call_id, count(*) AS row_count FROM utterances GROUP BY call_id
HAVING min(utterance_index) <> 0 OR max(utterance_index) + 1 <> count(*) OR sum(utterance_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'redactions' AS table_name, call_id, count(*) AS row_count FROM redactions GROUP BY call_id
HAVING min(redaction_index) <> 0 OR max(redaction_index) + 1 <> count(*) OR sum(redaction_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'speech_segments' AS table_name, call_id, count(*) AS row_count FROM speech_segments GROUP BY call_id
HAVING min(segment_index) <> 0 OR max(segment_index) + 1 <> count(*) OR sum(segment_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'tones' AS table_name, call_id, count(*) AS row_count FROM tones GROUP BY call_id
HAVING min(tone_index) <> 0 OR max(tone_index) + 1 <> count(*) OR sum(tone_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'speech_overlaps' AS table_name, call_id, count(*) AS row_count FROM speech_overlaps GROUP BY call_id
HAVING min(overlap_index) <> 0 OR max(overlap_index) + 1 <> count(*) OR sum(overlap_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'floor_transfers' AS table_name, call_id, count(*) AS row_count FROM floor_transfers GROUP BY call_id
HAVING min(transfer_index) <> 0 OR max(transfer_index) + 1 <> count(*) OR sum(transfer_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'silences' AS table_name, call_id, count(*) AS row_count FROM silences GROUP BY call_id
HAVING min(silence_index) <> 0 OR max(silence_index) + 1 <> count(*) OR sum(silence_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'backchannels' AS table_name, call_id, count(*) AS row_count FROM backchannels GROUP BY call_id
HAVING min(backchannel_index) <> 0 OR max(backchannel_index) + 1 <> count(*) OR sum(backchannel_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'moments' AS table_name, call_id, count(*) AS row_count FROM moments GROUP BY call_id
HAVING min(moment_index) <> 0 OR max(moment_index) + 1 <> count(*) OR sum(moment_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'opportunities' AS table_name, call_id, count(*) AS row_count FROM opportunities GROUP BY call_id
HAVING min(opportunity_index) <> 0 OR max(opportunity_index) + 1 <> count(*) OR sum(opportunity_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'turn_feelings' AS table_name, call_id, count(*) AS row_count FROM turn_feelings GROUP BY call_id
HAVING min(feeling_index) <> 0 OR max(feeling_index) + 1 <> count(*) OR sum(feeling_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'quotes' AS table_name, call_id, count(*) AS row_count FROM quotes GROUP BY call_id
HAVING min(quote_index) <> 0 OR max(quote_index) + 1 <> count(*) OR sum(quote_index) * 2 <> count(*) * (count(*) - 1)
UNION ALL
SELECT 'turn_empathy', call_id, count(*) FROM turn_empathy GROUP BY call_id, turn_index HAVING count(*) > 1
UNION ALL
SELECT 'parties', call_id, count(*) FROM parties GROUP BY call_id, party HAVING count(*) > 1
UNION ALL
SELECT 'stage_keys', call_id, count(*) FROM stage_keys GROUP BY call_id, stage HAVING count(*) > 1
UNION ALL
SELECT 'models', call_id, count(*) FROM models GROUP BY call_id, model HAVING count(*) > 1
UNION ALL
SELECT 'metrics', call_id, count(*) FROM metrics GROUP BY call_id, party, name HAVING count(*) > 1;
