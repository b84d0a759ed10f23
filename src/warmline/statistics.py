"""Estimates with their uncertainty: how much a number from few observations is worth.

Intervals are of 95 %. Everything random is seeded: the same numbers in, the same interval out.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import isnan, sqrt

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

_Z = 1.959964
_OUTER = (2.5, 97.5)
DEFAULT_ROUNDS = 1000


@dataclass(frozen=True)
class Estimate:
    """A value, its interval, and how many observations it rests on.

    `low` and `high` are None where the value is known and its uncertainty is not.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def wilson(hits: float, n: float) -> Estimate | None:
    """Return the share `hits / n` after Wilson 1927; None when there is nothing to count.

    `n` may be an effective number of observations.
    """
    if n <= 0:
        return None
    share, z2 = hits / n, _Z * _Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = max(0.0, middle - half) if hits else 0.0  # as it is, without what rounding leaves
    high = min(1.0, middle + half) if hits < n else 1.0
    return Estimate(share, low, high, round(n))


def bootstrap(
    statistic: Callable[[Rows], float],
    clusters: Sequence[Hashable],
    *,
    seed: int,
    rounds: int = DEFAULT_ROUNDS,
) -> Estimate | None:
    """Return a statistic of rows with its percentile interval; None when it is not a number.

    `statistic` takes row numbers, which may repeat. Rows of one cluster (a person, a call) are
    drawn together, because they are alike (Field & Welsh 2007); `clusters` names each row's. Draws
    in which the statistic is not a number are left out. Of one cluster alone there is no interval,
    nor where every draw gives the same: nothing was missed among so few, which is no certainty.
    """
    value = float(statistic(np.arange(len(clusters))))
    if isnan(value):
        return None
    rows_of: dict[Hashable, list[int]] = {}
    for row, cluster in enumerate(clusters):
        rows_of.setdefault(cluster, []).append(row)
    if len(rows_of) < 2:
        return Estimate(value, None, None, len(clusters))
    rows = np.array([row for own in rows_of.values() for row in own], np.int64)
    sizes = np.array([len(own) for own in rows_of.values()], np.int64)
    starts = np.cumsum(sizes) - sizes
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(rounds):
        chosen = rng.integers(0, len(sizes), len(sizes))
        counts = sizes[chosen]
        shift = np.repeat(starts[chosen] - (np.cumsum(counts) - counts), counts)
        draws.append(float(statistic(rows[shift + np.arange(len(shift))])))
    found = [d for d in draws if not isnan(d)]
    if not found or min(found) == max(found):
        return Estimate(value, None, None, len(clusters))
    low, high = np.percentile(found, _OUTER)
    return Estimate(value, float(low), float(high), len(clusters))


def times_drawn(
    clusters: Sequence[Hashable], *, seed: int, rounds: int = DEFAULT_ROUNDS
) -> NDArray[np.float64]:
    """Return how often each row is in each of many bootstrap draws of clusters, (rounds, rows).

    For statistics that are of weighted sums, which take all draws at once.
    """
    place = {cluster: i for i, cluster in enumerate(dict.fromkeys(clusters))}
    codes = np.array([place[cluster] for cluster in clusters])
    drawn = np.random.default_rng(seed).integers(0, len(place), (rounds, len(place)))
    drawn += np.arange(rounds)[:, None] * len(place)
    times = np.bincount(drawn.ravel(), minlength=rounds * len(place))
    return times.reshape(rounds, len(place))[:, codes].astype(np.float64)


def precision_at(sensitivity: float, specificity: float, prevalence: float) -> float:
    """Return the share of findings that are right where `prevalence` of all things are to be found.

    Bayes: the same sensitivity and specificity give fewer right findings of what is rarer.
    """
    right = prevalence * sensitivity
    return right / (right + (1 - prevalence) * (1 - specificity))


def specificity_from(precision: float, recall: float, prevalence: float) -> float:
    """Return the specificity of findings with this precision where `prevalence` are to be found."""
    false = prevalence * recall * (1 / precision - 1)
    return 1 - false / (1 - prevalence)


def cohen_kappa(left: Sequence[Hashable], right: Sequence[Hashable]) -> float:
    """Return the agreement of two raters beyond chance (Cohen 1960); NaN when chance alone explains
    it.
    """
    n = len(left)
    if n == 0 or n != len(right):
        return float("nan")
    same = sum(a == b for a, b in zip(left, right, strict=True)) / n
    ours, theirs = Counter(left), Counter(right)
    by_chance = sum(count * theirs[label] for label, count in ours.items()) / (n * n)
    return (same - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")
