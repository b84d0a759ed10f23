"""Standard errors of least squares for rows that come in clusters, honest with few clusters.

The bias-reduced linearization of Bell & McCaffrey 2002 (CR2), with Satterthwaite's degrees of
freedom for each contrast, as Pustejovsky & Tipton 2018 give it. The usual sandwich is too sure of
itself below some fifty clusters; a call centre's agents are often fewer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

_NOTHING = 1e-10
# Webb 2023: six-point weights, of which few clusters make many more draws than of two-point ones.
_WEBB = (-(1.5**0.5), -1.0, -(0.5**0.5), 0.5**0.5, 1.0, 1.5**0.5)
_DRAWS = 1999


@dataclass(frozen=True)
class Contrasts:
    """Standard errors and degrees of freedom of linear combinations of coefficients."""

    se: Array
    df: Array


def cr2(x: Array, residuals: Array, clusters: Codes, contrasts: Array) -> Contrasts:
    """Return the uncertainty of `contrasts @ coefficients` of a least-squares fit.

    `x` (n, k) of full rank, as fitted: with clusters' means taken off where these are absorbed.
    `clusters` (n,) numbers each row's cluster; `contrasts` is (m, k). The working model is that of
    equal variances.
    """
    bread = np.linalg.inv(x.T @ x).astype(np.float64)
    half = np.linalg.cholesky(bread)
    meat = np.zeros(len(contrasts))
    squares, scores = [], []
    for rows in _members(clusters):
        own = x[rows]
        adjusted = _adjusted(own @ half, own @ bread @ contrasts.T)
        meat += (adjusted.T @ residuals[rows]) ** 2
        squares.append((adjusted**2).sum(axis=0))
        scores.append(own.T @ adjusted)
    return Contrasts(np.sqrt(meat), _degrees(np.stack(squares), np.stack(scores), bread))


def _members(clusters: Codes) -> Iterator[NDArray[np.int64]]:
    order = np.argsort(clusters, kind="stable")
    edges = np.flatnonzero(np.diff(clusters[order])) + 1
    yield from np.split(order, edges)


def _adjusted(leverage_half: Array, weights: Array) -> Array:
    """`(I - H)^(-1/2) @ weights` of one cluster, without a matrix of the cluster's size.

    `H = Q Q'` with `Q` (rows, k), so that its eigenvectors come from the small matrix `Q' Q`. Where
    a cluster alone decides a coefficient, the inverse is the generalized one.
    """
    values, vectors = np.linalg.eigh(leverage_half.T @ leverage_half)
    left = 1.0 - values
    root = np.where(left > _NOTHING, 1.0 / np.sqrt(np.maximum(left, _NOTHING)), 0.0)
    scale = np.where(values > _NOTHING, (root - 1.0) / np.maximum(values, _NOTHING), 0.5)
    inside = leverage_half @ vectors
    product: Array = weights + inside @ (scale[:, None] * (inside.T @ weights))
    return product


def _degrees(squares: Array, scores: Array, bread: Array) -> Array:
    """Satterthwaite's degrees of freedom: squares (g, m), scores (g, k, m) of the clusters."""
    degrees = []
    for square, score in zip(squares.T, np.moveaxis(scores, 2, 0), strict=True):
        products = np.diag(square) - score @ bread @ score.T
        total = (products**2).sum()
        degrees.append(np.trace(products) ** 2 / total if total > 0 else 0.0)
    return np.array(degrees)


def shared_variance(
    x: Array, residuals: Array, clusters: Codes, customers: Codes, contrasts: Array
) -> Array:
    """Return what rows of one customer in different clusters add to the variance of contrasts (m,).

    The second and third terms of two-way clustering (Cameron, Gelbach & Miller 2011): the
    customers' sandwich less that of customers within clusters.
    """
    bread = np.linalg.inv(x.T @ x)
    scores = (x @ bread @ contrasts.T) * residuals[:, None]
    both = clusters * (int(customers.max()) + 1) + customers
    return _sum_squares(scores, customers) - _sum_squares(scores, both)


def _sum_squares(scores: Array, groups: Codes) -> Array:
    codes = np.unique(groups, return_inverse=True)[1]
    sums = np.stack([np.bincount(codes, column) for column in scores.T])
    squares: Array = (sums**2).sum(axis=1)
    return squares


@dataclass(frozen=True)
class Dominance:
    """The part that one cluster alone has in a coefficient.

    `share` (0..1) is the largest share that a cluster has of the variance of the column, the other
    columns taken off. `leverage` (0..1) is the largest part of a cluster's own weights that the
    fit takes up; at 1 its residuals are 0 by construction, whatever the truth is, and CR2 (a
    generalized inverse then) says nothing of its error.
    """

    share: float
    leverage: float


def dominance(x: Array, place: int, clusters: Codes) -> Dominance:
    """Return how far one cluster decides the coefficient of the column `place` of `x` (n, k)."""
    bread = np.linalg.inv(x.T @ x)
    weights = x @ bread[:, place]
    squares, taken = [], []
    for rows in _members(clusters):
        own, weight = x[rows], weights[rows]
        square = float(weight @ weight)
        squares.append(square)
        inside = own.T @ weight
        taken.append(float(inside @ bread @ inside) / square if square > _NOTHING**2 else 0.0)
    total = sum(squares)
    # A cluster that hardly counts may be fitted exactly without harm.
    heavy = [t for t, square in zip(taken, squares, strict=True) if square > 0.2 * total]
    return Dominance(max(squares) / total if total else 1.0, min(1.0, max(heavy, default=0.0)))


def bootstrap_p(x: Array, y: Array, place: int, clusters: Codes, seed: int = 1) -> float:
    """Return the p-value of one coefficient by the wild cluster bootstrap, 0 imposed.

    Cameron, Gelbach & Miller 2008 with the weights of Webb 2023, two-sided, on the t of the plain
    clustered sandwich: a second opinion that rests on no normal distribution. The coefficient is
    that of the column `place` of `x` (n, k) in a least-squares fit of `y` (n,).
    """
    others = np.delete(x, place, axis=1)
    column = x[:, place]
    if others.shape[1]:
        column = column - others @ np.linalg.lstsq(others, column, rcond=None)[0]
        restricted = y - others @ np.linalg.lstsq(others, y, rcond=None)[0]
    else:
        restricted = y
    bread = np.linalg.inv(x.T @ x)
    own, inside, outside = [], [], []
    for rows in _members(clusters):
        own.append(column[rows] @ restricted[rows])
        inside.append(column[rows] @ x[rows] @ bread)
        outside.append(x[rows].T @ restricted[rows])
    score, takes, gives = np.array(own), np.stack(inside), np.stack(outside)

    def t_of(weights: Array) -> Array:
        left = weights * score - (weights @ gives) @ takes.T
        spread = np.sqrt((left**2).sum(axis=-1))
        t: Array = np.abs(weights @ score) / np.maximum(spread, _NOTHING)
        return t

    random = np.random.default_rng(seed)
    draws = random.choice(np.array(_WEBB), (_DRAWS, len(score)))
    observed = t_of(np.ones((1, len(score))))[0]
    return float((1 + (t_of(draws) >= observed * (1 - 1e-9)).sum()) / (_DRAWS + 1))


def t_interval(value: float, se: float, df: float, confidence: float) -> tuple[float, float, float]:
    """Return low and high end of the interval, and the two-sided p-value, after Student's t."""
    t: Any = _students_t()
    half = float(t.ppf(0.5 + confidence / 2, df)) * se
    return value - half, value + half, float(2 * t.sf(abs(value / se), df))


def _students_t() -> Any:
    from scipy.stats import t

    return t
