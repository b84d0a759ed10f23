"""A logistic layer whose weights keep their direction, learned from two corpora at once."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

# A turn of level 1 counts as so much of a turn without.
_HALF = 0.35
# Evidence that hardly varies is not blown up.
_LEAST_SPREAD = 0.02
# A vector's components are alike in spread, and are held back alike.
_VECTOR_SPREAD = 0.055


@dataclass(frozen=True, eq=False)
class Labelled:
    """Evidence (rows, pieces), vectors (rows, width), levels 0 to 2, and what is never divided."""

    names: tuple[str, ...]
    evidence: NDArray[np.float64]
    vectors: NDArray[np.float64]
    levels: NDArray[np.int64]
    groups: NDArray[np.object_]
    domains: NDArray[np.str_] = field(default_factory=lambda: np.array([], str))
    held_out: NDArray[np.bool_] = field(default_factory=lambda: np.array([], bool))

    @classmethod
    def of(
        cls,
        rows: Sequence[tuple[Mapping[str, float], NDArray[np.float32]]],
        levels: Sequence[int],
        groups: Sequence[Hashable],
        names: Sequence[str],
    ) -> "Labelled":
        """From evidence by name, and vectors."""
        chosen = tuple(names)
        evidence = np.array([[named[name] for name in chosen] for named, _ in rows])
        vectors = np.array([vector for _, vector in rows], np.float64)
        return cls(chosen, evidence, vectors, np.array(levels), np.array(groups, object))

    def only(self, rows: NDArray[np.bool_]) -> "Labelled":
        """Some of the rows."""
        return replace(
            self,
            evidence=self.evidence[rows],
            vectors=self.vectors[rows],
            levels=self.levels[rows],
            groups=self.groups[rows],
            domains=self.domains[rows] if self.domains.size else self.domains,
            held_out=self.held_out[rows] if self.held_out.size else self.held_out,
        )


@dataclass(frozen=True)
class Fitted:
    """What was learned: log-odds are the intercept plus weighted evidence and vector."""

    intercept: float
    weights: Mapping[str, float]
    vector: NDArray[np.float64]

    def scores(self, rows: Labelled) -> NDArray[np.float64]:
        """Log-odds of each row."""
        named = rows.evidence @ np.array([self.weights[n] for n in rows.names])
        return named + rows.vectors @ self.vector + self.intercept


@dataclass(frozen=True)
class Restraint:
    """How strongly learning is held back: ridges of 1 over these, for evidence and for vectors.

    The public rows count together `public_share` times as much as the others.
    """

    evidence: float
    vectors: float
    public_share: float


def fit(
    support: Labelled, public: Labelled, signs: Mapping[str, int], restraint: Restraint
) -> Fitted:
    """Weights of which no named one points against its sign; those of vectors are free.

    Both corpora share the weights and have each its own intercept, so that how common a feeling is
    among one is not learned from the other; the intercept of customer support is kept.
    """
    pieces, width = support.evidence.shape[1], support.vectors.shape[1]
    whole = _stacked(support)
    spread = np.r_[support.evidence.std(0) + _LEAST_SPREAD, np.full(width, _VECTOR_SPREAD)]
    middle = whole.mean(0)
    between = support.levels == 1
    x = (np.vstack([whole, whole[between], _stacked(public)]) - middle) / spread
    is_public = np.arange(len(x)) >= len(x) - len(public.levels)
    x = np.column_stack([x, np.ones(len(x)), is_public])
    wanted = np.concatenate(
        [support.levels > 0, np.zeros(between.sum(), bool), public.levels > 0]
    ).astype(float)
    public_weight = restraint.public_share * len(support.levels) / len(public.levels)
    weight = np.concatenate(
        [
            np.where(between, 1 - _HALF, 1.0),
            np.full(between.sum(), _HALF),
            np.full(len(public.levels), public_weight),
        ]
    )
    held = [1 / restraint.evidence] * pieces + [1 / restraint.vectors] * width
    ridge = np.array([*held, 0.0, 0.0])

    def loss(b: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = x @ b
        losses = weight * (np.logaddexp(0, odds) - wanted * odds)
        slope = weight * (1 / (1 + np.exp(-odds)) - wanted)
        return float(losses.sum() + 0.5 * ridge @ b**2), x.T @ slope + ridge * b

    bounds = [(0, None) if signs[name] > 0 else (None, 0) for name in support.names]
    found = minimize(
        loss,
        np.zeros(x.shape[1]),
        jac=True,
        bounds=[*bounds, *[(None, None)] * (width + 2)],
        method="L-BFGS-B",
        options={"maxiter": 1000},
    ).x
    weights = found[: pieces + width] / spread
    intercept = float(found[pieces + width] - weights @ middle)
    named = dict(zip(support.names, map(float, weights[:pieces]), strict=True))
    return Fitted(intercept, named, weights[pieces:])


def _stacked(rows: Labelled) -> NDArray[np.float64]:
    return np.column_stack([rows.evidence, rows.vectors])
