INSERT INTO turn_feelings BY NAME
WITH listed AS (
    SELECT
        call_id,
        call_no,
        unnest(empathy.feelings) AS x,
        generate_subscripts(empathy.feelings, 1) - 1 AS feeling_index
    FROM staged
)
SELECT
    call_id,
    call_no,
    feeling_index,
    x.turn_index,
    x.any_negative,
    x.fear_anxiety,
    x.anger_frustration,
    x.sadness_disappointment,
    x.confusion_powerlessness,
    x.explicit,
    x.implicit,
    x.start_s,
    x.end_s,
    x.text,
    x.rule,
    x.model,
    x.answer,
    x.level,
    x.answer_turn_index,
    x.latency_s
FROM listed;
