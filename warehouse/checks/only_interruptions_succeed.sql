-- Overlaps are of a known kind; only of an interruption is it said whether it succeeded or helped.
SELECT call_id, overlap_index, kind
FROM speech_overlaps
WHERE kind NOT IN ('backchannel', 'terminal_overlap', 'interruption', 'other', 'unsure')
    OR (kind <> 'interruption' AND (successful IS NOT NULL OR cooperative IS NOT NULL))
    OR holder = entrant;
