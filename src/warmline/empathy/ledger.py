"""The opportunity ledger: one row for each feeling a customer showed, and how it was answered.

After Bylund & Makoul 2005 (empathic opportunity and response) and Hsu et al. 2012.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from warmline.analysis import Moment, Opportunity, TurnFeelings
from warmline.empathy.answers import EMPATHIC, OVERLAP_S, Answer, Cue, answer_to, heard_by
from warmline.language.feelings import cues_in
from warmline.settings import EmpathySettings
from warmline.values import Conversation, RoleName, Turn


def opportunities(
    conversation: Conversation,
    moments: Sequence[Moment],
    settings: EmpathySettings,
    feelings: Sequence[TurnFeelings] = (),
) -> tuple[Opportunity, ...]:
    """The ledger in order of time; cues of one kind in one turn are one row.

    A turn is in it when a feeling is at least as probable as `min_feeling`; where no model read the
    words (`feelings` is empty), cues of rules are, from `min_cue_strength` on. Hostile words count
    as a cue of anger. A cue is answered after it was said, by the agent who heard it: another's
    words, after a transfer, are neither that agent's credit nor a cure of what was passed over.
    """
    by_turn = moments_by_turn(moments)
    known = {f.turn_index: f for f in feelings}
    rows = []
    for turn in conversation.turns:
        if turn.role is RoleName.CUSTOMER:
            felt = known.get(turn.index)
            said = by_turn.get(turn.index, ())
            cues_by_kind = cues_in(
                turn, said, felt, settings.min_cue_strength, settings.min_feeling
            )
            for kind, cues in cues_by_kind.items():
                cue = Cue(min(c.start_s for c in cues), max(c.end_s for c in cues), turn)
                answer = answer_to(cue, conversation.turns, by_turn, settings)
                rows.append(_row(kind, cues, cue, answer, conversation.turns, felt))
    return tuple(sorted(rows, key=lambda o: (o.start_s, o.turn_index, o.kind)))


def with_answers(
    feelings: Sequence[TurnFeelings],
    conversation: Conversation,
    moments: Sequence[Moment],
    settings: EmpathySettings,
) -> tuple[TurnFeelings, ...]:
    """Return the feelings of each turn with how it was answered, in the ledger or not.

    So the ledger's threshold can be set again in a query.
    """
    by_turn = moments_by_turn(moments)
    turns = {turn.index: turn for turn in conversation.turns}
    found = []
    for felt in feelings:
        cue = Cue(felt.start_s, felt.end_s, turns[felt.turn_index])
        answer = answer_to(cue, conversation.turns, by_turn, settings)
        evidence = answer.evidence if answer else None
        found.append(
            replace(
                felt,
                answer=answer.name if answer else None,
                level=answer.level if answer else None,
                answer_turn_index=evidence.turn_index if evidence else None,
                latency_s=_latency_s(cue, evidence, conversation.turns) if evidence else None,
            )
        )
    return tuple(found)


def answered(opportunity: Opportunity) -> bool:
    """Whether the feeling was answered with empathy; solving alone, or dismissing, is no answer."""
    return opportunity.answer in EMPATHIC


def moments_by_turn(moments: Sequence[Moment]) -> Mapping[int, Sequence[Moment]]:
    """The moments of each turn."""
    by_turn: dict[int, list[Moment]] = {}
    for moment in moments:
        by_turn.setdefault(moment.turn_index, []).append(moment)
    return by_turn


def _row(
    kind: str,
    cues: Sequence[Moment],
    cue: Cue,
    answer: Answer | None,
    turns: Sequence[Turn],
    felt: TurnFeelings | None,
) -> Opportunity:
    strongest = max(cues, key=lambda m: m.strength)
    evidence = answer.evidence if answer else None
    return Opportunity(
        start_s=cue.start_s,
        end_s=cue.end_s,
        kind=kind,
        strength=strongest.strength,
        turn_index=strongest.turn_index,
        text=" … ".join(dict.fromkeys(c.text for c in cues)),
        rule=strongest.rule,
        answer=answer.name if answer else None,
        level=answer.level if answer else None,
        answer_turn_index=evidence.turn_index if evidence else None,
        answer_start_s=evidence.start_s if evidence else None,
        answer_end_s=evidence.end_s if evidence else None,
        answer_text=evidence.text if evidence else None,
        answer_rule=evidence.rule if evidence else None,
        latency_s=None if evidence is None else _latency_s(cue, evidence, turns),
        probability=_probability(kind, felt),
        is_explicit=felt.explicit >= felt.implicit if felt else None,
        heard_by=heard_by(cue, turns),
        answer_is_explicit=answer.is_explicit if answer else None,
        answer_gives_space=answer.gives_space if answer else None,
    )


def _probability(kind: str, felt: TurnFeelings | None) -> float | None:
    """Of any feeling; of confusion alone, where that is what the row says."""
    if felt is None:
        return None
    lost = kind == "confusion_powerlessness"
    return felt.confusion_powerlessness if lost else felt.any_negative


def _latency_s(cue: Cue, evidence: Moment, turns: Sequence[Turn]) -> float:
    """To the start of the answering turn, or of the answer where that turn had begun before."""
    turn = next(t for t in turns if t.index == evidence.turn_index)
    begins_s = turn.start_s if turn.start_s >= cue.end_s - OVERLAP_S else evidence.start_s
    # An answer may overlap the cue's last word: no time passed.
    return max(0.0, begins_s - cue.end_s)
