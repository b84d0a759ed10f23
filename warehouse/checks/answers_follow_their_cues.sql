-- No feeling is answered before it was shown: an answer begins no sooner than in the last 0.3 s of its cue.
SELECT call_id, opportunity_index, end_s, answer_start_s, latency_s FROM opportunities
WHERE latency_s < 0 OR answer_start_s < end_s - 0.3001;
