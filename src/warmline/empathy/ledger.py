"""The opportunity ledger: one row for each feeling a customer showed, and how it was answered.

After Bylund & Makoul 2005 (empathic opportunity and response) and Hsu et al. 2012.
"""

from collections.abc import Mapping, Sequence

from warmline.analysis import Moment, Opportunity
from warmline.empathy.answers import EMPATHIC, OVERLAP_S, Answer, Cue, answer_to, heard_by
from warmline.settings import EmpathySettings
from warmline.values import Conversation, RoleName, Turn


def opportunities(
    conversation: Conversation, moments: Sequence[Moment], settings: EmpathySettings
) -> tuple[Opportunity, ...]:
    """The ledger in order of time; cues of one kind in one turn are one row.

    Hostile words count as a cue of anger. Cues weaker than `min_cue_strength` are left out. A cue
    is answered after it was said, by the agent who heard it: another's words, after a transfer, are
    neither that agent's credit nor a cure of what was passed over.
    """
    by_turn = moments_by_turn(moments)
    rows = []
    for turn in conversation.turns:
        if turn.role is RoleName.CUSTOMER:
            for kind, cues in _cues(by_turn.get(turn.index, ()), settings).items():
                cue = Cue(min(c.start_s for c in cues), max(c.end_s for c in cues), turn)
                answer = answer_to(cue, conversation.turns, by_turn, settings)
                rows.append(_row(kind, cues, cue, answer, conversation.turns))
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
    kind: str, cues: Sequence[Moment], cue: Cue, answer: Answer | None, turns: Sequence[Turn]
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
        heard_by=heard_by(cue, turns),
        answer_is_explicit=answer.is_explicit if answer else None,
        answer_gives_space=answer.gives_space if answer else None,
    )


def _latency_s(cue: Cue, evidence: Moment, turns: Sequence[Turn]) -> float:
    """To the start of the answering turn, or of the answer where that turn had begun before."""
    turn = next(t for t in turns if t.index == evidence.turn_index)
    begins_s = turn.start_s if turn.start_s >= cue.end_s - OVERLAP_S else evidence.start_s
    # An answer may overlap the cue's last word: no time passed.
    return max(0.0, begins_s - cue.end_s)
