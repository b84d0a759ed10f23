"""The opportunity ledger: one row for each feeling a customer showed, and how it was answered.

After Bylund & Makoul 2005 (empathic opportunity and response) and Hsu et al. 2012.
"""

from collections.abc import Mapping, Sequence

from warmline.analysis import Moment, Opportunity
from warmline.empathy.answers import EMPATHIC, Answer, answer_to
from warmline.settings import EmpathySettings
from warmline.values import Conversation, RoleName, Turn


def opportunities(
    conversation: Conversation, moments: Sequence[Moment], settings: EmpathySettings
) -> tuple[Opportunity, ...]:
    """The ledger in order of time; cues of one kind in one turn are one row.

    Hostile words count as a cue of anger. Cues weaker than `min_cue_strength` are left out. All
    agents answer for the firm: after a transfer, the second agent's words count too.
    """
    by_turn = moments_by_turn(moments)
    rows = []
    for turn in conversation.turns:
        if turn.role is RoleName.CUSTOMER:
            answer = answer_to(turn.index, conversation.turns, by_turn, settings)
            for kind, cues in _cues(by_turn.get(turn.index, ()), settings).items():
                rows.append(_row(kind, cues, answer, conversation.turns))
    return tuple(sorted(rows, key=lambda o: (o.start_s, o.turn_index, o.kind)))


def answered(opportunity: Opportunity) -> bool:
    """Whether the feeling was answered with empathy; solving alone, or dismissing, is no answer."""
    return opportunity.answer in EMPATHIC


def moments_by_turn(moments: Sequence[Moment]) -> Mapping[int, Sequence[Moment]]:
    """The moments of each turn."""
    by_turn: dict[int, list[Moment]] = {}
    for moment in moments:
        by_turn.setdefault(moment.turn_index, []).append(moment)
    return by_turn


def _cues(moments: Sequence[Moment], settings: EmpathySettings) -> dict[str, list[Moment]]:
    found: dict[str, list[Moment]] = {}
    for moment in sorted(moments, key=lambda m: m.start_s):
        kind = "anger_frustration" if moment.kind == "hostile" else moment.label
        is_cue = moment.kind in ("cue", "hostile") and moment.role is RoleName.CUSTOMER
        if is_cue and kind is not None and moment.strength >= settings.min_cue_strength:
            found.setdefault(kind, []).append(moment)
    return found


def _row(
    kind: str, cues: Sequence[Moment], answer: Answer | None, turns: Sequence[Turn]
) -> Opportunity:
    strongest = max(cues, key=lambda m: m.strength)
    end_s = max(c.end_s for c in cues)
    evidence = answer.evidence if answer else None
    latency_s = None
    if evidence is not None:
        answering = next(t for t in turns if t.index == evidence.turn_index)
        latency_s = answering.start_s - end_s
    return Opportunity(
        start_s=min(c.start_s for c in cues),
        end_s=end_s,
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
        latency_s=latency_s,
    )
