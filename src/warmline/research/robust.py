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


@dataclass(frozen=True)
class Contrasts:
    """Standard errors and degrees of freedom of linear combinations of coefficients."""

    se: Array
    df: Array


def cr2(x: Array, residuals: Array, clusters: Codes, contrasts: Array) -> Contrasts:
    """The uncertainty of `contrasts @ coefficients` of a least-squares fit.

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


def t_interval(value: float, se: float, df: float, confidence: float) -> tuple[float, float, float]:
    """Low and high end of the interval, and the two-sided p-value, after Student's t."""
    t: Any = _students_t()
    half = float(t.ppf(0.5 + confidence / 2, df)) * se
    return value - half, value + half, float(2 * t.sf(abs(value / se), df))


def _students_t() -> Any:
    from scipy.stats import t

    return t
