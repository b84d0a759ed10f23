-- Who speaks, holds, enters or is measured is one of the call's parties.
SELECT 'turns.party' AS column_name, t.call_id, t.party FROM turns AS t
ANTI JOIN parties ON parties.call_id = t.call_id AND parties.party = t.party
UNION ALL
SELECT 'words.party', t.call_id, t.party FROM words AS t
ANTI JOIN parties ON parties.call_id = t.call_id AND parties.party = t.party
UNION ALL
SELECT 'utterances.party', t.call_id, t.party FROM utterances AS t
ANTI JOIN parties ON parties.call_id = t.call_id AND parties.party = t.party
UNION ALL
SELECT 'redactions.party', t.call_id, t.party FROM redactions AS t
ANTI JOIN parties ON parties.call_id = t.call_id AND parties.party = t.party
UNION ALL
SELECT 'speech_segments.party', t.call_id, t.party FROM speech_segments AS t
ANTI JOIN parties ON parties.call_id = t.call_id AND parties.party = t.party
UNION ALL
SELECT 'speech_overlaps.holder', t.call_id, t.holder FROM speech_overlaps AS t
ANTI JOIN parties ON parties.call_id = t.call_id AND parties.party = t.holder
UNION ALL
SELECT 'speech_overlaps.entrant', t.call_id, t.entrant FROM speech_overlaps AS t
ANTI JOIN parties ON parties.call_id = t.call_id AND parties.party = t.entrant
UNION ALL
SELECT 'floor_transfers.from_party', t.call_id, t.from_party FROM floor_transfers AS t
ANTI JOIN parties ON parties.call_id = t.call_id AND parties.party = t.from_party
UNION ALL
SELECT 'floor_transfers.to_party', t.call_id, t.to_party FROM floor_transfers AS t
ANTI JOIN parties ON parties.call_id = t.call_id AND parties.party = t.to_party
UNION ALL
SELECT 'backchannels.party', t.call_id, t.party FROM backchannels AS t
ANTI JOIN parties ON parties.call_id = t.call_id AND parties.party = t.party
UNION ALL
SELECT 'moments.party', t.call_id, t.party FROM moments AS t
ANTI JOIN parties ON parties.call_id = t.call_id AND parties.party = t.party
UNION ALL
SELECT 'metrics.party', t.call_id, t.party FROM metrics AS t
ANTI JOIN parties ON parties.call_id = t.call_id AND parties.party = t.party WHERE t.party IS NOT NULL;
