"""How the outcome changes along a measure: not one slope, but a level for each part of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmline.research.associations import (
    LARGEST_LEVERAGE,
    LARGEST_SHARE,
    Cases,
    complete_cases,
    fit_cases,
    why_not,
)
from warmline.research.design import Design, design_matrix, usable
from warmline.research.regression import Estimate, Fit
from warmline.research.robust import Array, Codes

_PARTS = 5
_LEAST_IN_PART = 10


@dataclass(frozen=True)
class Part:
    """The calls whose measure lies between two values: their mean outcome, raw and adjusted.

    `adjusted` is the level if agents and controls were alike in all parts; None where the model
    cannot tell the part from others.
    """

    low: float
    high: float
    mean: float
    n: int
    raw: float
    adjusted: Estimate | None


@dataclass(frozen=True)
class Dose:
    """The parts of one measure, in order of its value."""

    measure: str
    parts: tuple[Part, ...]


def dose(frame: Any, measure: str, design: Design) -> Dose | None:
    """Return the dose–response of one measure; None when nothing can be said, or it is in one part.

    Parts are the values themselves when there are at most five, else about fifths of the calls.
    """
    controls = usable(frame, design.controls)
    cases = complete_cases(frame, measure, controls)
    if why_not(cases, design):
        return None
    codes = _parts(cases.measure)
    count = int(codes.max()) + 1
    if count < 2:
        return None
    others, names = design_matrix(cases.frame, controls.columns)
    dummies = (codes[:, None] == np.arange(1, count)).astype(float)
    told = tuple(f"part {i}" for i in range(1, count))
    model = fit_cases(cases, np.column_stack([others, dummies]), (*names, *told), design.effects)
    weights = np.ones(len(codes)) if cases.weights is None else cases.weights
    levels: list[Estimate] | list[None] = [None] * count
    if set(told) <= set(model.names) and all(_is_shared(model, part) for part in told):
        shares = np.bincount(codes, weights) / weights.sum()
        levels = model.estimates(_levels(model.names, told, shares), design.confidence)
    middle = float(np.average(cases.y, weights=weights))
    return Dose(
        measure,
        tuple(_part(codes == i, cases, weights, middle, levels[i]) for i in range(count)),
    )


def _is_shared(model: Fit, part: str) -> bool:
    """Return whether a part's level rests on more than one agent."""
    dominance = model.dominance(part)
    return dominance.share <= LARGEST_SHARE and dominance.leverage <= LARGEST_LEVERAGE


def _parts(values: Array) -> Codes:
    """Return each value's part, from 0; parts of fewer than ten calls join the one below."""
    distinct = np.unique(values)
    if len(distinct) <= _PARTS:
        tops = distinct[:-1]
    else:
        shares = np.arange(1, _PARTS) / _PARTS
        tops = np.unique(np.quantile(values, shares, method="inverted_cdf"))
        tops = tops[tops < distinct[-1]]
    while len(tops):
        counts = np.bincount(np.searchsorted(tops, values), minlength=len(tops) + 1)
        small = np.flatnonzero(counts < _LEAST_IN_PART)
        if not len(small):
            break
        tops = np.delete(tops, max(int(small[0]) - 1, 0))
    return np.searchsorted(tops, values).astype(np.int64)


def _levels(names: tuple[str, ...], told: tuple[str, ...], shares: Array) -> Array:
    """Return how far each part's level lies from the mean of all, as combinations of dummies.

    `shares` are the parts' shares of all calls.
    """
    rows = np.zeros((len(shares), len(names)))
    for part, name in enumerate(told, start=1):
        rows[:, names.index(name)] -= shares[part]
        rows[part, names.index(name)] += 1.0
    return rows


def _part(
    own: NDArray[np.bool_], cases: Cases, weights: Array, middle: float, level: Estimate | None
) -> Part:
    if level is not None:
        level = Estimate(
            middle + level.value,
            level.se,
            level.df,
            middle + level.low,
            middle + level.high,
            level.p,
        )
    x, raw = cases.measure[own], float(np.average(cases.y[own], weights=weights[own]))
    return Part(float(x.min()), float(x.max()), float(x.mean()), int(own.sum()), raw, level)
