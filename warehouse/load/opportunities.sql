INSERT INTO opportunities BY NAME
WITH listed AS (
    SELECT
        call_id,
        call_no,
        unnest(empathy.opportunities) AS x,
        generate_subscripts(empathy.opportunities, 1) - 1 AS opportunity_index
    FROM staged
)
SELECT
    call_id,
    call_no,
    opportunity_index,
    x.kind,
    x.strength,
    x.turn_index,
    x.start_s,
    x.end_s,
    x.text,
    x.rule,
    x.answer,
    x.level,
    x.answer IN ('attentive', 'affective', 'cognitive') AS answered,
    x.answer_turn_index,
    x.answer_start_s,
    x.answer_end_s,
    x.answer_text,
    x.answer_rule,
    x.latency_s,
    x.probability,
    x.is_explicit,
    x.heard_by,
    x.answer_is_explicit,
    x.answer_gives_space
FROM listed;
