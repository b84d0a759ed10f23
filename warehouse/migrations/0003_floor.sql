-- Who held the floor, and how it changed hands.

CREATE TABLE speech_overlaps (
    call_id VARCHAR NOT NULL,
    overlap_index BIGINT NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    holder VARCHAR NOT NULL,
    holder_role VARCHAR,
    entrant VARCHAR NOT NULL,
    entrant_role VARCHAR,
    kind VARCHAR NOT NULL,
    successful BOOLEAN,
    cooperative BOOLEAN
);
COMMENT ON TABLE speech_overlaps IS 'One row a stretch in which two parties speak. Key: call_id, overlap_index.';
COMMENT ON COLUMN speech_overlaps.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN speech_overlaps.overlap_index IS 'Place of the overlap in the call, from 0.';
COMMENT ON COLUMN speech_overlaps.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN speech_overlaps.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN speech_overlaps.holder IS 'The party that had the floor.';
COMMENT ON COLUMN speech_overlaps.holder_role IS 'Role of the holder.';
COMMENT ON COLUMN speech_overlaps.entrant IS 'The party that came in.';
COMMENT ON COLUMN speech_overlaps.entrant_role IS 'Role of the entrant: whose interruption it is.';
COMMENT ON COLUMN speech_overlaps.kind IS 'backchannel, terminal_overlap, interruption or other.';
COMMENT ON COLUMN speech_overlaps.successful IS 'Of an interruption: the holder stopped and the entrant kept the floor.';
COMMENT ON COLUMN speech_overlaps.cooperative IS 'Of an interruption: it agreed with the holder or completed the phrase; otherwise it is competitive.';

CREATE TABLE floor_transfers (
    call_id VARCHAR NOT NULL,
    transfer_index BIGINT NOT NULL,
    at_s DOUBLE NOT NULL,
    from_party VARCHAR NOT NULL,
    from_role VARCHAR,
    to_party VARCHAR NOT NULL,
    to_role VARCHAR,
    offset_s DOUBLE NOT NULL
);
COMMENT ON TABLE floor_transfers IS 'One row a change of speaker. Key: call_id, transfer_index.';
COMMENT ON COLUMN floor_transfers.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN floor_transfers.transfer_index IS 'Place of the change in the call, from 0.';
COMMENT ON COLUMN floor_transfers.at_s IS 'When the next party began, seconds on the call''s clock.';
COMMENT ON COLUMN floor_transfers.from_party IS 'Who had the floor.';
COMMENT ON COLUMN floor_transfers.from_role IS 'Role of who had the floor.';
COMMENT ON COLUMN floor_transfers.to_party IS 'Who took the floor.';
COMMENT ON COLUMN floor_transfers.to_role IS 'Role of who took the floor.';
COMMENT ON COLUMN floor_transfers.offset_s IS 'Start of the next minus end of the last, seconds; negative is overlap.';

CREATE TABLE silences (
    call_id VARCHAR NOT NULL,
    silence_index BIGINT NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    kind VARCHAR NOT NULL
);
COMMENT ON TABLE silences IS 'One row a stretch in which no party speaks. Key: call_id, silence_index.';
COMMENT ON COLUMN silences.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN silences.silence_index IS 'Place of the silence in the call, from 0.';
COMMENT ON COLUMN silences.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN silences.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN silences.kind IS 'gap (short), dead_air (long) or hold (music or tones).';

CREATE TABLE backchannels (
    call_id VARCHAR NOT NULL,
    backchannel_index BIGINT NOT NULL,
    party VARCHAR NOT NULL,
    role VARCHAR,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    text VARCHAR
);
COMMENT ON TABLE backchannels IS 'One row a short sound of one party while another holds the floor. Key: call_id, backchannel_index.';
COMMENT ON COLUMN backchannels.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN backchannels.backchannel_index IS 'Place of the backchannel in the call, from 0.';
COMMENT ON COLUMN backchannels.party IS 'Who utters it (parties.party).';
COMMENT ON COLUMN backchannels.role IS 'Role of that party.';
COMMENT ON COLUMN backchannels.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN backchannels.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN backchannels.text IS 'Words recognised in it; NULL when it is known from the sound alone.';
