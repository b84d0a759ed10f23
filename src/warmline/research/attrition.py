"""Calls without an outcome: how they differ from those with one, and what that could change.

Outcomes are missing for reasons. The table says how calls that are in the models differ from all
others; Lee's bounds (2009) say between which values a difference of outcomes lies, whatever those
who are missing more often on one side would have said, if nobody answers because of the measure
whom it would otherwise have silenced.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from warmline.research.robust import Array
from warmline.research.terms import CONTROL_COLUMNS, WORDS

_LEAST_CALLS = 30
#: Means that lie further apart, in standard deviations, are worth a word (Stuart 2010).
APART = 0.25


@dataclass(frozen=True)
class Attrition:
    """One number of calls with and without the outcome; `apart` is their distance in SD."""

    what: str
    with_outcome: float
    without: float
    apart: float


@dataclass(frozen=True)
class Bounds:
    """Calls with more of a measure against those with less: the difference of their outcomes.

    Split at the median of all calls. `followed_more` and `followed_less` are the shares of either
    that have the outcome; `difference` is of those that do, `low` to `high` is what it could be if
    both were followed alike. Agents and controls are not held equal here.
    """

    measure: str
    calls: int
    followed_more: float
    followed_less: float
    difference: float
    low: float
    high: float


def attrition(calls: Any, with_outcome: Any, controls: Sequence[str]) -> tuple[Attrition, ...]:
    """Return how calls in the models differ from the others, by each number that is controlled for.

    `calls` is a pandas frame of one row a call; `with_outcome` (n,) says which are in the models.
    """
    found = []
    for column in (c for name in controls for c in CONTROL_COLUMNS[name] if c not in WORDS):
        values = calls[column].to_numpy(float)
        known = np.isfinite(values)
        ours, others = values[known & with_outcome], values[known & ~with_outcome]
        spread = float(values[known].std()) if known.any() else 0.0
        if min(len(ours), len(others)) < _LEAST_CALLS or spread == 0:
            continue
        apart = float(ours.mean() - others.mean()) / spread
        found.append(Attrition(column, float(ours.mean()), float(others.mean()), apart))
    return tuple(found)


def lee_bounds(measure: str, values: Array, outcome: Array) -> Bounds | None:
    """Return the bounds for one measure; None where a side has too few calls.

    `values` (n,) of all calls, NaN where unknown, `outcome` (n,) NaN where it is missing.
    """
    known = np.isfinite(values)
    values, outcome = values[known], outcome[known]
    if len(values) < 2 * _LEAST_CALLS or np.ptp(values) == 0:
        return None
    middle = float(np.median(values))
    more = values > middle if (values > middle).any() else values >= middle
    followed = np.isfinite(outcome)
    sides = [np.sort(outcome[side & followed]) for side in (more, ~more)]
    if min(map(len, sides)) < _LEAST_CALLS:
        return None
    shares = [float(followed[side].mean()) for side in (more, ~more)]
    fuller = int(shares[1] > shares[0])
    other = 1 - fuller
    excess = (shares[fuller] - shares[other]) / shares[fuller]
    count = round(excess * len(sides[fuller]))
    lowest = sides[fuller][: len(sides[fuller]) - count].mean()
    highest = sides[fuller][count:].mean()
    ends = [float(end - sides[other].mean()) for end in (lowest, highest)]
    if fuller == 1:
        ends = [-end for end in reversed(ends)]
    difference = float(sides[0].mean() - sides[1].mean())
    return Bounds(measure, len(values), shares[0], shares[1], difference, ends[0], ends[1])
