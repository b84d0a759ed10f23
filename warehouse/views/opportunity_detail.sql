CREATE VIEW opportunity_detail AS
SELECT
    calls.call_id,
    opportunities.opportunity_index,
    opportunities.kind,
    opportunities.strength,
    opportunities.probability,
    opportunities.is_explicit,
    opportunities.start_s,
    opportunities.end_s,
    opportunities.text,
    opportunities.rule,
    opportunities.answer,
    opportunities.level,
    opportunities.answered,
    opportunities.latency_s,
    opportunities.answer_start_s,
    opportunities.answer_end_s,
    opportunities.answer_text,
    opportunities.answer_rule,
    opportunities.heard_by,
    opportunities.heard_by_agent,
    opportunities.answer_is_explicit,
    opportunities.answer_gives_space,
    asked.text AS customer_turn,
    replied.text AS agent_turn,
    greatest(opportunities.start_s - 2, 0) AS clip_start_s,
    least(coalesce(opportunities.answer_end_s, opportunities.end_s) + 2, calls.duration_s)
        AS clip_end_s,
    calls.started_at,
    sole_agent(calls.agent_id, calls.agents) AS agent_id,
    calls.team,
    calls.queue,
    calls.customer_id,
    calls.contact_reason,
    calls.path,
    calls.speaker_source,
    calls.is_simulated,
    review_summary.verdict AS review_verdict,
    review_summary.should_be AS review_should_be,
    review_summary.remarks AS review_remarks
FROM facts.opportunities
INNER JOIN calls ON calls.call_no = opportunities.call_no
LEFT JOIN facts.turns AS asked
    ON asked.call_no = opportunities.call_no AND asked.turn_index = opportunities.turn_index
LEFT JOIN facts.turns AS replied
    ON replied.call_no = opportunities.call_no
    AND replied.turn_index = opportunities.answer_turn_index
LEFT JOIN review_summary
    ON review_summary.subject = 'cue' AND review_summary.call_id = calls.call_id
    AND review_summary.opportunity_index = opportunities.opportunity_index;

COMMENT ON VIEW opportunity_detail IS 'One row a cue of the ledger with the call around it: read it, or play the clip.';
COMMENT ON COLUMN opportunity_detail.call_id IS 'The call (calls.call_id).';
COMMENT ON COLUMN opportunity_detail.kind IS 'fear_anxiety, anger_frustration, sadness_disappointment or confusion_powerlessness.';
COMMENT ON COLUMN opportunity_detail.strength IS 'How strong or sure the cue is, 0..1.';
COMMENT ON COLUMN opportunity_detail.probability IS 'Probability of a feeling in the turn (opportunities.probability).';
COMMENT ON COLUMN opportunity_detail.is_explicit IS 'Whether the feeling is put into words, or hinted at.';
COMMENT ON COLUMN opportunity_detail.start_s IS 'Start of the cue, seconds on the call''s clock.';
COMMENT ON COLUMN opportunity_detail.end_s IS 'End of the cue, seconds on the call''s clock.';
COMMENT ON COLUMN opportunity_detail.text IS 'The customer''s words.';
COMMENT ON COLUMN opportunity_detail.rule IS 'The rule or model that recognised the cue.';
COMMENT ON COLUMN opportunity_detail.answer IS 'ignored, dismissed, minimal_acknowledgement (sorry in passing), problem_solved_only, attentive, affective or cognitive; NULL when no agent turn followed.';
COMMENT ON COLUMN opportunity_detail.level IS 'Depth of the answer, 0..2.';
COMMENT ON COLUMN opportunity_detail.answered IS 'Whether the answer is attentive, affective or cognitive; NULL when no agent turn followed.';
COMMENT ON COLUMN opportunity_detail.latency_s IS 'From the end of the cue to the start of the answering turn, or of the answering words where it had begun before, seconds.';
COMMENT ON COLUMN opportunity_detail.heard_by IS 'The agent''s party who heard the cue, and whose answer counts.';
COMMENT ON COLUMN opportunity_detail.heard_by_agent IS 'Which of the call''s agents that is (opportunities.heard_by_agent).';
COMMENT ON COLUMN opportunity_detail.answer_is_explicit IS 'Whether the answer takes up the cue''s words or matter (VR-CoDES).';
COMMENT ON COLUMN opportunity_detail.answer_gives_space IS 'Whether the answer lets the customer say more, or reduces it (VR-CoDES).';
COMMENT ON COLUMN opportunity_detail.customer_turn IS 'The whole turn of the customer.';
COMMENT ON COLUMN opportunity_detail.agent_turn IS 'The whole turn of the agent that answers.';
COMMENT ON COLUMN opportunity_detail.clip_start_s IS 'Where to start listening, seconds on the call''s clock.';
COMMENT ON COLUMN opportunity_detail.clip_end_s IS 'Where to stop listening, seconds on the call''s clock.';
COMMENT ON COLUMN opportunity_detail.started_at IS 'When the call began, UTC; NULL when the metadata does not say.';
COMMENT ON COLUMN opportunity_detail.agent_id IS 'Who heard it, from the metadata; NULL where several agents speak, as the metadata does not say which of them it names.';
COMMENT ON COLUMN opportunity_detail.team IS 'The agent''s team, from the metadata.';
COMMENT ON COLUMN opportunity_detail.customer_id IS 'Who called, from the metadata.';
COMMENT ON COLUMN opportunity_detail.path IS 'Where the recording lay when it was analyzed.';
COMMENT ON COLUMN opportunity_detail.is_simulated IS 'True for calls made by warmline simulate.';
COMMENT ON COLUMN opportunity_detail.review_verdict IS 'What people who listened say of this row: right, wrong or disputed; NULL when nobody reviewed it.';
COMMENT ON COLUMN opportunity_detail.review_should_be IS 'What the answer should be, which feeling it was, or no_cue; NULL when nobody said.';
COMMENT ON COLUMN opportunity_detail.review_remarks IS 'Who said why.';
