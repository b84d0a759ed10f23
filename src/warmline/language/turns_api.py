"""Scores of single turns of text, without a recording: one stable function for any transcript.

Today the rules alone give the scores; what gives them may change, the function will not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

from warmline.analysis import Moment
from warmline.language.kinds import CUE_LABELS
from warmline.language.passages import passages_of_texts
from warmline.language.reading import read_passages
from warmline.language.rulebook import rulebook
from warmline.settings import LanguageSettings
from warmline.values import RoleName

# How much of an agent's moment is empathy. A formula or an apology alone is next to none; acting
# for the customer is some ("with words and actions"); a dismissal takes away.
_EMPATHY = {
    "affective": 1.0,
    "cognitive": 0.8,
    "attentive": 0.75,
    "apology": 0.45,
    "ownership": 0.4,
    "commitment": 0.3,
    "question_open": 0.3,
    "solution": 0.2,
    "next_step": 0.2,
    "question_closed": 0.1,
    "formula": 0.15,
    "politeness": 0.1,
}
_DISMISSAL_TAKES = 0.7
# How much of a customer's moment is negative emotion, besides the cues themselves.
_NEGATIVE = {
    "cue": 1.0,
    "hostile": 1.0,
    "complaint": 0.7,
    "friction_repeat": 0.6,
    "friction_transfer": 0.5,
    "friction_hold": 0.5,
    "resolution": 0.4,
}
_POSITIVE_TAKES = {"relief": 0.5, "thanks": 0.3}


class SpokenTurn(Protocol):
    """What a turn must carry: `speaker` is "agent", "customer" or another word; `text`."""

    @property
    def speaker(self) -> str:
        """Who speaks."""

    @property
    def text(self) -> str:
        """What is said."""


@dataclass(frozen=True)
class TurnLanguage:
    """What one turn's words show. Scores are 0..1; None where the speaker is not the one scored.

    `empathy` and its parts are said of agents, `negative_emotion` and the four feelings of
    customers. `rules` names what was recognised, strongest first.
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


def score_turns(
    turns: Iterable[SpokenTurn | Mapping[str, str]], settings: LanguageSettings | None = None
) -> list[TurnLanguage]:
    """One `TurnLanguage` for each turn, in order; earlier turns are the context of later ones.

    A turn is an object with `speaker` and `text`, or a mapping with these keys. Speakers other than
    "agent" and "customer" (in any case) are scored with None throughout.
    """
    read = [_parts(turn) for turn in turns]
    passages = passages_of_texts([(_role(speaker), text) for speaker, text in read])
    by_turn: dict[int, list[Moment]] = {}
    for moment in read_passages(passages, rulebook(settings or LanguageSettings())):
        by_turn.setdefault(moment.turn_index, []).append(moment)
    return [
        _scored(speaker, _role(speaker), by_turn.get(index, []))
        for index, (speaker, _) in enumerate(read)
    ]


def _parts(turn: SpokenTurn | Mapping[str, str]) -> tuple[str, str]:
    if isinstance(turn, Mapping):
        return turn["speaker"], turn["text"]
    return turn.speaker, turn.text


def _role(speaker: str) -> RoleName:
    known = {role.value: role for role in (RoleName.AGENT, RoleName.CUSTOMER)}
    return known.get(speaker.strip().lower(), RoleName.UNKNOWN)


def _scored(speaker: str, role: RoleName, moments: Sequence[Moment]) -> TurnLanguage:
    agent, customer = role is RoleName.AGENT, role is RoleName.CUSTOMER
    feelings = {
        label: _together([m.strength for m in moments if m.label == label and m.kind == "cue"])
        for label in CUE_LABELS
    }
    kinds = {
        kind: _together([m.strength for m in moments if m.kind == kind])
        for kind in ("affective", "attentive", "cognitive", "dismissive")
    }
    ranked = sorted(moments, key=lambda m: (-m.strength, m.rule))
    return TurnLanguage(
        speaker=speaker,
        empathy=_empathy(moments) if agent else None,
        affective=kinds["affective"] if agent else None,
        attentive=kinds["attentive"] if agent else None,
        cognitive=kinds["cognitive"] if agent else None,
        dismissive=kinds["dismissive"] if agent else None,
        negative_emotion=_negative(moments) if customer else None,
        fear_anxiety=feelings["fear_anxiety"] if customer else None,
        anger_frustration=feelings["anger_frustration"] if customer else None,
        sadness_disappointment=feelings["sadness_disappointment"] if customer else None,
        confusion_powerlessness=feelings["confusion_powerlessness"] if customer else None,
        rules=tuple(dict.fromkeys(m.rule for m in ranked)),
    )


def _empathy(moments: Sequence[Moment]) -> float:
    shown = _together([m.strength * _EMPATHY.get(m.kind, 0.0) for m in moments])
    dismissed = max((m.strength for m in moments if m.kind == "dismissive"), default=0.0)
    return shown * (1.0 - _DISMISSAL_TAKES * dismissed)


def _negative(moments: Sequence[Moment]) -> float:
    shown = _together(
        [
            m.strength * _NEGATIVE.get(m.kind, 0.0)
            for m in moments
            if m.kind != "resolution" or m.label == "unresolved"
        ]
    )
    eased = max((m.strength * _POSITIVE_TAKES.get(m.kind, 0.0) for m in moments), default=0.0)
    return shown * (1.0 - eased)


def _together(strengths: Sequence[float]) -> float:
    """Independent evidence together (noisy or)."""
    return 1.0 - prod(1.0 - s for s in strengths)
