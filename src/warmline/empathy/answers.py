"""How an agent answered a cue, by what was said in the turns in which an answer counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from warmline.analysis import Moment
from warmline.phrases import spoken_text
from warmline.settings import EmpathySettings
from warmline.turns.listening import listens
from warmline.values import RoleName, Turn

# Which of two equally strong answers is named; Clark et al. 2013 found cognitive ones to help most.
EMPATHIC = ("cognitive", "affective", "attentive")
# What shows empathy -> how the answer is called. Of what models hear, the one they hear best.
_SHOWN_AS = {**{kind: kind for kind in EMPATHIC}, "emotional_reaction": "affective"}
_ACTION = frozenset({"commitment", "solution", "ownership", "next_step", "expectation"})
IGNORED = "ignored"
DISMISSED = "dismissed"
SOLVED_ONLY = "problem_solved_only"


@dataclass(frozen=True)
class Answer:
    """What the answer was: its name, level 0..2, and the evidence; an ignored cue has none.

    Level 2 is specific: it names this customer's feeling, situation or cause, or shows empathy in
    two ways. Level 1 is general. A dismissal beside it leaves no more than 1, and nothing of mere
    attention in the same turn ("I hear you, but calm down"). All else is 0.
    """

    name: str
    level: int
    evidence: Moment | None


def answer_to(
    turn_index: int,
    turns: Sequence[Turn],
    moments: Mapping[int, Sequence[Moment]],
    settings: EmpathySettings,
) -> Answer | None:
    """The answer to a cue in the turn with this index; None if no agent spoke after it.

    Looked for in the next `answer_within_turns` agent turns in which the agent does more than
    listen ("mm-hm", "okay"). `moments` are by turn index.
    """
    later = [t for t in turns if t.index > turn_index and t.role is RoleName.AGENT]
    if not later:
        return None
    speaking = [t for t in later if not listens(spoken_text(t.text))]
    window = [
        [m for m in moments.get(t.index, ()) if m.role is RoleName.AGENT]
        for t in speaking[: settings.answer_within_turns]
    ]
    said = [m for turn in window for m in turn]
    dismissal = _strongest(m for m in said if m.kind == "dismissive")
    for turn in window:
        if _shows_empathy(turn):
            return _empathic(turn, dismissal is not None, settings)
    return _without_empathy(said, dismissal)


def _shows_empathy(turn: Sequence[Moment]) -> bool:
    kinds = {m.kind for m in turn}
    return bool(kinds & _SHOWN_AS.keys() - ({"attentive"} if "dismissive" in kinds else set()))


def _empathic(said: Sequence[Moment], dismissed: bool, settings: EmpathySettings) -> Answer:
    """The first turn that shows empathy is the answer; the strongest words in it name it."""
    shown = [m for m in said if m.kind in _SHOWN_AS]
    strongest = min(
        shown, key=lambda m: (-m.strength, EMPATHIC.index(_SHOWN_AS[m.kind]), m.start_s)
    )
    in_two_ways = len({_SHOWN_AS[m.kind] for m in shown}) > 1
    specific = in_two_ways or strongest.strength >= settings.strong_answer
    return Answer(_SHOWN_AS[strongest.kind], 2 if specific and not dismissed else 1, strongest)


def _without_empathy(said: Sequence[Moment], dismissal: Moment | None) -> Answer:
    if dismissal is not None:
        return Answer(DISMISSED, 0, dismissal)
    apology = _strongest(m for m in said if m.kind == "apology" and not _is_formula(m, said))
    if apology is not None:
        return Answer("affective", 1, apology)
    action = _strongest(m for m in said if m.kind in _ACTION)
    return Answer(IGNORED, 0, None) if action is None else Answer(SOLVED_ONLY, 0, action)


def _is_formula(apology: Moment, said: Iterable[Moment]) -> bool:
    """ "I apologize for the inconvenience" is politeness; "I'm so sorry" is more."""
    return any(
        m.kind == "formula"
        and m.turn_index == apology.turn_index
        and m.start_s < apology.end_s
        and apology.start_s < m.end_s
        for m in said
    )


def _strongest(moments: Iterable[Moment]) -> Moment | None:
    return min(moments, key=lambda m: (-m.strength, m.start_s, m.rule), default=None)
