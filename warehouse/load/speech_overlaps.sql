INSERT INTO speech_overlaps BY NAME
WITH listed AS (
    SELECT
        call_id,
        call_no,
        roles,
        unnest(floor.overlaps) AS x,
        generate_subscripts(floor.overlaps, 1) - 1 AS overlap_index
    FROM staged
),
said AS (
    SELECT call_no, unnest(conversation.turns) AS t FROM staged
),
turn AS (
    SELECT call_no, t.party, t.index, t.start_s, t.end_s FROM said
)
SELECT
    listed.call_id,
    listed.call_no,
    overlap_index,
    x.start_s,
    x.end_s,
    x.holder,
    roles[x.holder] AS holder_role,
    x.entrant,
    roles[x.entrant] AS entrant_role,
    x.kind,
    x.successful,
    x.cooperative,
    CASE WHEN x.start_s <= turn.end_s THEN turn.index END AS turn_index,
    CASE WHEN x.start_s <= turn.end_s THEN turn.end_s - turn.start_s END AS turn_s
FROM listed
ASOF LEFT JOIN turn
    ON turn.call_no = listed.call_no
    AND turn.party = listed.x.holder
    AND turn.start_s <= listed.x.start_s
ORDER BY listed.call_no, overlap_index;
