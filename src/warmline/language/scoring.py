"""Rules and models together: one number for an agent's empathy, one for a customer's feeling.

Each piece of evidence is a share 0..1; they are put together as independent ones (noisy or), so
that a turn that no rule knows is still ranked by what the models hear, and each rule only adds. The
weights are judgements, not fitted: service formulas and bare apologies are little, feelings named
are much.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from warmline.analysis import Moment
from warmline.language.epitome import MECHANISMS
from warmline.language.kinds import CUE_LABELS
from warmline.language.listening import Heard
from warmline.language.passages import Passage
from warmline.values import RoleName

# How much of an agent's moment is empathy. A formula or an apology alone is next to none; acting
# for the customer is some ("with words and actions"); a dismissal takes away. Saying back what was
# said (label `reflection`) shows attention rather than warmth.
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
_SERVICE_TAKES = 0.85
# How much of what the models hear in an agent's words is empathy: the customer's feeling returns in
# them, too. Service sounds warm to models that learned from peers, so that they are not asked about
# words that a rule knows as service.
_MECHANISMS = {"emotional_reaction": 0.4, "interpretation": 0.2, "exploration": 0.05}
_WARM_EMOTIONS = {"caring": 0.4, "remorse": 0.3, "sadness": 0.3, "negative": 0.25}
SERVICE = frozenset(
    {
        *("formula", "slot_request", "question_closed", "friction_hold", "friction_transfer"),
        *("commitment", "solution", "next_step", "expectation", "identification", "offer"),
    }
)
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
# How much of what the models hear in a customer's words is negative emotion.
_NEGATIVE_EMOTIONS = {"negative": 0.8, "confusion_powerlessness": 0.25}
# Of the feelings that the models hear, so much is believed without a rule.
_FEELING = 0.8


@dataclass(frozen=True)
class TurnLanguage:
    """What one turn's words show. Scores are 0..1; None where the speaker is not the one scored.

    `empathy` and its parts are said of agents, `negative_emotion` and the four feelings of
    customers. The last three are the probabilities that an EPITOME mechanism is there at all; None
    without models. `rules` names what was recognised, strongest first.
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


def scored(
    speaker: str, passage: Passage, moments: Sequence[Moment], heard: Sequence[Heard]
) -> TurnLanguage:
    """The scores of one turn from its moments and its windows; `heard` is empty without models."""
    agent = passage.turn.role is RoleName.AGENT
    customer = passage.turn.role is RoleName.CUSTOMER
    feelings = {label: _feeling(label, moments, heard) for label in CUE_LABELS}
    kinds = {
        kind: together([m.strength for m in moments if m.kind == kind])
        for kind in ("affective", "attentive", "cognitive", "dismissive")
    }
    mechanisms = {m: max((h.at_least_weak(m) for h in heard), default=0.0) for m in MECHANISMS}
    ranked = sorted(moments, key=lambda m: (-m.strength, m.rule))
    return TurnLanguage(
        speaker=speaker,
        empathy=_empathy(passage, moments, heard) if agent else None,
        affective=kinds["affective"] if agent else None,
        attentive=kinds["attentive"] if agent else None,
        cognitive=kinds["cognitive"] if agent else None,
        dismissive=kinds["dismissive"] if agent else None,
        negative_emotion=_negative(moments, heard) if customer else None,
        fear_anxiety=feelings["fear_anxiety"] if customer else None,
        anger_frustration=feelings["anger_frustration"] if customer else None,
        sadness_disappointment=feelings["sadness_disappointment"] if customer else None,
        confusion_powerlessness=feelings["confusion_powerlessness"] if customer else None,
        rules=tuple(dict.fromkeys(m.rule for m in ranked)),
        emotional_reaction=mechanisms["emotional_reaction"] if agent and heard else None,
        interpretation=mechanisms["interpretation"] if agent and heard else None,
        exploration=mechanisms["exploration"] if agent and heard else None,
    )


def together(shares: Sequence[float]) -> float:
    """Independent evidence together (noisy or)."""
    return 1.0 - prod(1.0 - s for s in shares)


def _feeling(label: str, moments: Sequence[Moment], heard: Sequence[Heard]) -> float:
    named = [m.strength for m in moments if m.label == label and m.kind == "cue"]
    return together([*named, _FEELING * max((h.feeling(label) for h in heard), default=0.0)])


def _empathy(passage: Passage, moments: Sequence[Moment], heard: Sequence[Heard]) -> float:
    shown = [
        m.strength * _EMPATHY.get(m.label or m.kind, _EMPATHY.get(m.kind, 0.0)) for m in moments
    ]
    service = [m for m in moments if m.kind in SERVICE]
    sensed = max(
        (
            _warmth(h) * (1.0 - _SERVICE_TAKES * passage.share(h.first, h.past, service))
            for h in heard
        ),
        default=0.0,
    )
    dismissed = max((m.strength for m in moments if m.kind == "dismissive"), default=0.0)
    return together([*shown, sensed]) * (1.0 - _DISMISSAL_TAKES * dismissed)


def _warmth(heard: Heard) -> float:
    """How much empathy the models hear in a window of an agent's words."""
    return together(
        [
            *(weight * heard.at_least_weak(m) for m, weight in _MECHANISMS.items()),
            *(weight * heard.emotions[e] for e, weight in _WARM_EMOTIONS.items()),
        ]
    )


def _negative(moments: Sequence[Moment], heard: Sequence[Heard]) -> float:
    shown = [
        m.strength * _NEGATIVE.get(m.kind, 0.0)
        for m in moments
        if m.kind != "resolution" or m.label == "unresolved"
    ]
    sensed = max((_negativity(h) for h in heard), default=0.0)
    eased = max((m.strength * _POSITIVE_TAKES.get(m.kind, 0.0) for m in moments), default=0.0)
    return together([*shown, sensed]) * (1.0 - eased)


def _negativity(heard: Heard) -> float:
    """How much negative emotion the models hear in a window of a customer's words."""
    return together([weight * heard.feeling(e) for e, weight in _NEGATIVE_EMOTIONS.items()])
