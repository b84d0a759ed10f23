"""Logistic features of an agent's turn, weighted by published weights: its empathy.

Each feature has a name, and its weight has one sign only: more of it can never lower what it speaks
for. What no name covers is left to MiniLM's vector of the turn, whose weights are strongly
regularised. All are learned by `training/calibrate.py` and stand in `networks/turns.toml`; how far
they can be trusted is in `networks/MODEL_CARD.md`.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import exp, log
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from warmline.analysis import Moment
from warmline.language.heads import MECHANISMS
from warmline.language.windows import TurnText, WindowScores

# What an agent says in the course of business: it sounds warm to models that learned from peers.
SERVICE = frozenset(
    {
        *("formula", "slot_request", "question_closed", "friction_hold", "friction_transfer"),
        *("commitment", "solution", "next_step", "expectation", "identification", "offer"),
    }
)
# Feature -> the sign of its weight: 1 speaks for the target, -1 against.
EMPATHY_EVIDENCE: Mapping[str, int] = MappingProxyType(
    {f"model.{mechanism}": 1 for mechanism in MECHANISMS}
    | {
        f"emotion.{name}": 1
        for name in (
            *("caring", "remorse", "sadness", "disappointment", "annoyance"),
            *("negative", "fear_anxiety"),
            *("approval", "optimism", "admiration", "relief", "pride", "love"),
        )
    }
    | {f"emotion.{name}": -1 for name in ("gratitude", "joy", "neutral", "curiosity")}
    | {
        f"rule.{name}": 1
        for name in (
            *("affective", "cognitive", "attentive", "reflection", "apology", "ownership"),
            *("commitment", "question_open"),
        )
    }
)
_FILE = Path(__file__).parent / "networks" / "turns.toml"
_SERVICE_TAKES = 0.85
# No model of this size is surer than this.
_SUREST = 0.998


@dataclass(frozen=True, eq=False)
class ModelScores:
    """The models' scores of one turn; empty without models, and for a turn without words.

    `vectors` (windows, 384) are those of `vectors_of`.
    """

    heard: Sequence[WindowScores] = ()
    vectors: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @property
    def vector(self) -> NDArray[np.float32]:
        """Return the mean (384,) over the windows."""
        return np.asarray(self.vectors.mean(0), np.float32)


@dataclass(frozen=True, eq=False)
class LogisticWeights:
    """The weights of named features and of a turn's vector (384,), and the intercept."""

    intercept: float
    of: Mapping[str, float]
    vector: NDArray[np.float32]

    def share(self, evidence: Mapping[str, float], vector: NDArray[np.float32]) -> float:
        """Return the probability, 0..1, from the evidence and the vector together."""
        total = self.intercept + sum(w * evidence[name] for name, w in self.of.items())
        return 1.0 / (1.0 + exp(-total - float(self.vector @ vector)))


@cache
def weights(name: str) -> LogisticWeights:
    """Return the learned weights of a score."""
    table = tomllib.loads(_FILE.read_text(encoding="utf-8"))[name]
    return LogisticWeights(
        table["intercept"],
        MappingProxyType(table["weights"]),
        np.array(table["vector"], np.float32),
    )


def empathy_evidence(
    turn_text: TurnText, moments: Sequence[Moment], read: ModelScores
) -> dict[str, float]:
    """Return all of `EMPATHY_EVIDENCE` in an agent's turn that models have read.

    From models the log-odds of the window that shows most, from rules the greatest strength. Models
    that learned from peers take the business of service for warmth: the more of a window's words
    are that, the less they count.
    """
    heard = read.heard
    service = [m for m in moments if m.kind in SERVICE]
    own = [1.0 - _SERVICE_TAKES * turn_text.share(h.first, h.past, service) for h in heard]
    found = _emotions(EMPATHY_EVIDENCE, heard, own)
    for mechanism in MECHANISMS:
        shown = [h.at_least_weak(mechanism) * share for h, share in zip(heard, own, strict=True)]
        found[f"model.{mechanism}"] = _log_odds(max(shown))
    found |= _rules(EMPATHY_EVIDENCE, [m for m in moments if m.label != "reflection"])
    found["rule.reflection"] = strongest(m for m in moments if m.label == "reflection")
    return found


def _emotions(
    names: Iterable[str], heard: Sequence[WindowScores], believed: Sequence[float]
) -> dict[str, float]:
    chosen = [n.removeprefix("emotion.") for n in names if n.startswith("emotion.")]
    both = list(zip(heard, believed, strict=True))
    return {f"emotion.{n}": _log_odds(max(h.emotions[n] * b for h, b in both)) for n in chosen}


def _rules(names: Iterable[str], moments: Sequence[Moment]) -> dict[str, float]:
    chosen = [n.removeprefix("rule.") for n in names if n.startswith("rule.")]
    return {f"rule.{kind}": strongest(m for m in moments if m.kind == kind) for kind in chosen}


def strongest(moments: Iterable[Moment]) -> float:
    """Return the greatest strength of these moments, 0 without any."""
    return max((m.strength for m in moments), default=0.0)


def _log_odds(probability: float) -> float:
    p = min(max(probability, 1.0 - _SUREST), _SUREST)
    return log(p / (1.0 - p))
