"""Entrainment: whether two parties come to sound alike (Levitan & Hirschberg 2011).

Research columns. Values are each party's own z-scores, so that two lines of different gain, or two
people of different habit, can be compared. Pitch is left out: its synchrony failed to replicate.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from warmline.analysis import TurnProsody
from warmline.metrics import Metric, unsaid
from warmline.values import Turn

COLUMNS = {"level": "level_db", "rate": "rate_words_per_s"}
KINDS = ("proximity", "convergence", "synchrony")
_LEAST_PAIRS = 8


def entrainment_metrics(
    turns: Sequence[Turn], sounds: Sequence[TurnProsody], confidence: float
) -> tuple[Metric, ...]:
    """Three measures for level and three for rate, over turns that follow each other."""
    return tuple(
        metric
        for name, column in COLUMNS.items()
        for metric in _of_column(name, column, turns, sounds, confidence)
    )


def _of_column(
    name: str,
    column: str,
    turns: Sequence[Turn],
    sounds: Sequence[TurnProsody],
    confidence: float,
) -> list[Metric]:
    own = _own_scores(column, sounds)
    pairs = [
        (before.start_s, own[before.index], own[after.index])
        for before, after in pairwise(turns)
        if before.party != after.party and before.index in own and after.index in own
    ]
    names = [f"entrainment_{name}_{kind}" for kind in KINDS]
    if len(pairs) < _LEAST_PAIRS:
        reason = f"only {len(pairs)} pairs of measured turns, {_LEAST_PAIRS} are needed"
        return [unsaid(n, None, reason) for n in names]
    at_s, first, second = (np.array(values) for values in zip(*pairs, strict=True))
    likeness = -np.abs(first - second)
    values = (float(likeness.mean()), _correlation(at_s, likeness), _correlation(first, second))
    return [
        unsaid(n, None, "one side does not vary")
        if value is None
        else Metric(n, None, value, observations=len(pairs), confidence=confidence)
        for n, value in zip(names, values, strict=True)
    ]


def _own_scores(column: str, sounds: Sequence[TurnProsody]) -> dict[int, float]:
    """Per turn, how many SD it lies above the party's own mean."""
    scores: dict[int, float] = {}
    for party in {s.party for s in sounds}:
        values = {
            s.turn_index: v
            for s in sounds
            if s.party == party and (v := getattr(s, column)) is not None
        }
        spread = float(np.std(list(values.values()))) if values else 0.0
        if spread > 0:
            mean = float(np.mean(list(values.values())))
            scores |= {index: (value - mean) / spread for index, value in values.items()}
    return scores


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    if x.std() == 0 or y.std() == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])
