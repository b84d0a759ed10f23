INSERT INTO speech_overlaps BY NAME
WITH listed AS (
    SELECT
        call_id,
        roles,
        unnest(floor.overlaps) AS x,
        generate_subscripts(floor.overlaps, 1) - 1 AS overlap_index
    FROM staged
)
SELECT
    call_id,
    overlap_index,
    x.start_s,
    x.end_s,
    x.holder,
    roles[x.holder] AS holder_role,
    x.entrant,
    roles[x.entrant] AS entrant_role,
    x.kind,
    x.successful,
    x.cooperative
FROM listed
ORDER BY call_id, overlap_index;
