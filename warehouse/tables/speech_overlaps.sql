CREATE TABLE facts.speech_overlaps (
    call_no INTEGER NOT NULL,
    overlap_index BIGINT NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    holder VARCHAR NOT NULL,
    holder_role VARCHAR,
    entrant VARCHAR NOT NULL,
    entrant_role VARCHAR,
    kind VARCHAR NOT NULL,
    successful BOOLEAN,
    cooperative BOOLEAN,
    turn_index BIGINT,
    turn_s DOUBLE
);
COMMENT ON VIEW speech_overlaps IS 'One row per segment in which two parties speak. Key: call_id, overlap_index.';
COMMENT ON COLUMN speech_overlaps.overlap_index IS 'Place of the overlap in the call, from 0.';
COMMENT ON COLUMN speech_overlaps.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN speech_overlaps.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN speech_overlaps.holder IS 'The party that had the floor.';
COMMENT ON COLUMN speech_overlaps.holder_role IS 'Role of the holder.';
COMMENT ON COLUMN speech_overlaps.entrant IS 'The party that came in.';
COMMENT ON COLUMN speech_overlaps.entrant_role IS 'Role of the entrant: whose interruption it is.';
COMMENT ON COLUMN speech_overlaps.kind IS 'backchannel, terminal_overlap, interruption, other, or unsure: voices on one channel, and an edge 0.03 s off would make it another kind.';
COMMENT ON COLUMN speech_overlaps.successful IS 'Of an interruption: the holder stopped and the entrant kept the floor.';
COMMENT ON COLUMN speech_overlaps.cooperative IS 'Of an interruption: it agreed with the holder or completed the phrase; otherwise it is competitive.';
COMMENT ON COLUMN speech_overlaps.turn_index IS 'The holder''s turn in which the overlap begins (turns.turn_index); NULL outside all of them.';
COMMENT ON COLUMN speech_overlaps.turn_s IS 'Length of that turn, seconds.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.speech_overlaps BY NAME
WITH listed AS (
    SELECT
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
