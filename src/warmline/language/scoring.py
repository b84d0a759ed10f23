"""Score a turn: one number for an agent's empathy, one for a customer's feeling.

Where models read, all features are combined by learned weights (`features.py`). Where only rules
read, each moment is a share 0..1 and they are combined as independent ones (noisy or); those
weights are judgements: service formulas and bare apologies count little, feelings named count much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from warmline.analysis import Moment, TurnFeelings
from warmline.language.features import ModelScores, empathy_evidence, weights
from warmline.language.feelings import cues_in, names_a_feeling
from warmline.language.heads import MECHANISMS
from warmline.language.kinds import CUE_LABELS
from warmline.language.turn_text import TurnText
from warmline.language.windows import WindowScores
from warmline.settings import EmpathySettings
from warmline.values import RoleName

# How much of an agent's moment is empathy. A formula or an apology alone is next to none; acting
# for the customer is some ("with words and actions"); a dismissal takes away. A reflection (label
# `reflection`) shows attention rather than warmth.
_EMPATHY = {
    "affective": 1.0,
    "cognitive": 0.8,
    "attentive": 0.7,
    "reflection": 0.4,
    "apology": 0.45,
    "ownership": 0.4,
    "commitment": 0.15,
    "question_open": 0.1,
    "solution": 0.1,
    "next_step": 0.1,
    "formula": 0.1,
    "politeness": 0.05,
}
_DISMISSAL_TAKES = 0.7
# A question may be warm, but leaves the feeling unanswered; a judgement, not fitted to data.
_ASKING_TAKES = 0.5
# How much of a customer's moment is negative emotion, besides the cues themselves.
_NEGATIVE = {
    "cue": 1.0,
    "hostile": 1.0,
    "complaint": 0.7,
    "friction_repeat": 0.6,
    "friction_transfer": 0.5,
    "friction_hold": 0.5,
    "resolution": 0.4,
    "problem": 0.5,
}
_POSITIVE_TAKES = {"relief": 0.5, "thanks": 0.3}
# The share of the feelings found by models that is believed without a rule.
_FEELING = 0.8


@dataclass(frozen=True)
class Cue:
    """A cue that the ledger would hold of a turn.

    `explicit` tells that the feeling is put into words, not only hinted at; `probability` is that
    of a feeling in the turn, and without models the strength of the rule.
    """

    kind: str
    explicit: bool
    probability: float
    text: str


@dataclass(frozen=True)
class TurnLanguage:
    """The scores of one turn's words, 0..1; None for scores of another role than the speaker's.

    `empathy` and its parts apply to agents; `negative_emotion`, the four feelings and `cues`, which
    the ledger would hold of the turn, to customers. `emotional_reaction`, `interpretation` and
    `exploration` are the probabilities that an EPITOME mechanism is present at all; None without
    models. `rules` names what was recognised, strongest first.
    """

    speaker: str
    empathy: float | None
    affective: float | None
    attentive: float | None
    cognitive: float | None
    dismissive: float | None
    negative_emotion: float | None
    fear_anxiety: float | None
    anger_frustration: float | None
    sadness_disappointment: float | None
    confusion_powerlessness: float | None
    rules: tuple[str, ...]
    emotional_reaction: float | None = None
    interpretation: float | None = None
    exploration: float | None = None
    cues: tuple[Cue, ...] = ()


def scored(
    speaker: str,
    turn_text: TurnText,
    moments: Sequence[Moment],
    read: ModelScores,
    felt: TurnFeelings | None = None,
) -> TurnLanguage:
    """Return the scores of one turn from its moments and from the models' readings."""
    heard = read.heard
    agent = turn_text.turn.role is RoleName.AGENT
    customer = turn_text.turn.role is RoleName.CUSTOMER
    feelings = {label: _feeling(label, moments, heard, felt) for label in CUE_LABELS}
    kinds = {
        kind: noisy_or([m.strength for m in moments if m.kind == kind])
        for kind in ("affective", "attentive", "cognitive", "dismissive")
    }
    mechanisms = {m: max((h.at_least_weak(m) for h in heard), default=0.0) for m in MECHANISMS}
    ranked = sorted(moments, key=lambda m: (-m.strength, m.rule))
    return TurnLanguage(
        speaker=speaker,
        empathy=_empathy(turn_text, moments, read) if agent else None,
        affective=kinds["affective"] if agent else None,
        attentive=kinds["attentive"] if agent else None,
        cognitive=kinds["cognitive"] if agent else None,
        dismissive=kinds["dismissive"] if agent else None,
        negative_emotion=_negative(moments, felt) if customer else None,
        fear_anxiety=feelings["fear_anxiety"] if customer else None,
        anger_frustration=feelings["anger_frustration"] if customer else None,
        sadness_disappointment=feelings["sadness_disappointment"] if customer else None,
        confusion_powerlessness=feelings["confusion_powerlessness"] if customer else None,
        rules=tuple(dict.fromkeys(m.rule for m in ranked)),
        emotional_reaction=mechanisms["emotional_reaction"] if agent and heard else None,
        interpretation=mechanisms["interpretation"] if agent and heard else None,
        exploration=mechanisms["exploration"] if agent and heard else None,
        cues=_cues(turn_text, moments, felt) if customer else (),
    )


def unscored(speaker: str) -> TurnLanguage:
    """Return the scores of a turn that nothing here can read."""
    return TurnLanguage(
        speaker=speaker,
        empathy=None,
        affective=None,
        attentive=None,
        cognitive=None,
        dismissive=None,
        negative_emotion=None,
        fear_anxiety=None,
        anger_frustration=None,
        sadness_disappointment=None,
        confusion_powerlessness=None,
        rules=(),
    )


def noisy_or(shares: Sequence[float]) -> float:
    """Return the combined probability of independent evidence (noisy or)."""
    return 1.0 - prod(1.0 - s for s in shares)


def _cues(
    turn_text: TurnText, moments: Sequence[Moment], felt: TurnFeelings | None
) -> tuple[Cue, ...]:
    told = cues_in(turn_text.turn, moments, felt, EmpathySettings().min_cue_strength)
    found = []
    for kind, cues in told.items():
        sure = max(c.strength for c in cues)
        explicit = names_a_feeling(cues)
        if felt is not None:
            lost = kind == "confusion_powerlessness"
            sure = felt.confusion_powerlessness if lost else felt.any_negative
            explicit = felt.explicit >= felt.implicit
        text = " … ".join(dict.fromkeys(c.text for c in cues))
        found.append(Cue(kind, explicit, sure, text))
    return tuple(found)


def _feeling(
    label: str, moments: Sequence[Moment], heard: Sequence[WindowScores], felt: TurnFeelings | None
) -> float:
    if felt is not None and not heard:
        return float(getattr(felt, label))
    named = [m.strength for m in moments if m.label == label and m.kind == "cue"]
    return noisy_or([*named, _FEELING * max((h.feeling(label) for h in heard), default=0.0)])


def _empathy(turn_text: TurnText, moments: Sequence[Moment], read: ModelScores) -> float:
    shown = [
        m.strength * _EMPATHY.get(m.label or m.kind, _EMPATHY.get(m.kind, 0.0)) for m in moments
    ]
    dismissed = max((m.strength for m in moments if m.kind == "dismissive"), default=0.0)
    warm = (
        weights("empathy").share(empathy_evidence(turn_text, moments, read), read.vector)
        if read.heard
        else noisy_or(shown)
    )
    return warm * (1.0 - _DISMISSAL_TAKES * dismissed) * (1.0 - _ASKING_TAKES * _asked(turn_text))


def _asked(turn_text: TurnText) -> float:
    """Return the share of a turn's words that stand in marked questions: they ask, not answer."""
    said = turn_text.said
    asked = sum(past - first for first, past in said.sentences() if said.marks[past - 1] == "?")
    return asked / max(1, len(said.words))


def _negative(moments: Sequence[Moment], felt: TurnFeelings | None) -> float:
    if felt is not None:
        return felt.any_negative
    shown = [
        m.strength * _NEGATIVE.get(m.kind, 0.0)
        for m in moments
        if m.kind != "resolution" or m.label == "unresolved"
    ]
    eased = max((m.strength * _POSITIVE_TAKES.get(m.kind, 0.0) for m in moments), default=0.0)
    return noisy_or(shown) * (1.0 - eased)
