CREATE TABLE facts.utterances (
    call_no INTEGER NOT NULL,
    utterance_index BIGINT NOT NULL,
    party VARCHAR NOT NULL,
    start_s DOUBLE NOT NULL,
    end_s DOUBLE NOT NULL,
    avg_logprob DOUBLE NOT NULL,
    no_speech_prob DOUBLE NOT NULL,
    compression_ratio DOUBLE NOT NULL
);
COMMENT ON VIEW utterances IS 'One row per segment that the recogniser read in one go, with its own doubts; its words are in words. Key: call_id, utterance_index.';
COMMENT ON COLUMN utterances.utterance_index IS 'Place of the utterance in the call, from 0.';
COMMENT ON COLUMN utterances.party IS 'Who speaks (parties.party).';
COMMENT ON COLUMN utterances.start_s IS 'Start on the call''s clock, seconds.';
COMMENT ON COLUMN utterances.end_s IS 'End on the call''s clock, seconds.';
COMMENT ON COLUMN utterances.avg_logprob IS 'Mean log-probability of the tokens; nearer 0 is surer.';
COMMENT ON COLUMN utterances.no_speech_prob IS 'The recogniser''s own probability that nobody speaks, 0..1.';
COMMENT ON COLUMN utterances.compression_ratio IS 'Length of the text over its compressed length; high for text that repeats itself.';

-- load: what the analyses in `staged` have of it.
INSERT INTO facts.utterances BY NAME
WITH listed AS (
    SELECT
        call_no,
        unnest(transcript.utterances) AS x,
        generate_subscripts(transcript.utterances, 1) - 1 AS utterance_index
    FROM staged
)
SELECT
    call_no,
    utterance_index,
    x.party,
    x.start_s,
    x.end_s,
    x.avg_logprob,
    x.no_speech_prob,
    x.compression_ratio
FROM listed;
