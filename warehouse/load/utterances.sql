INSERT INTO utterances BY NAME
WITH listed AS (
    SELECT
        call_id,
        call_no,
        unnest(transcript.utterances) AS x,
        generate_subscripts(transcript.utterances, 1) - 1 AS utterance_index
    FROM staged
)
SELECT
    call_id,
    call_no,
    utterance_index,
    x.party,
    x.start_s,
    x.end_s,
    x.avg_logprob,
    x.no_speech_prob,
    x.compression_ratio
FROM listed;
