"""How well what was found agrees with what people said: AUC, F1, precision and recall."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from warmline.statistics import Estimate, bootstrap, wilson

from .context import Context


def auc(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """The chance that a positive ranks above a negative, ties counting half; NaN without both."""
    positives = int(truth.sum())
    negatives = truth.size - positives
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(score)[truth].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def macro_f1(truth: NDArray[np.int64], found: NDArray[np.int64], classes: int) -> float:
    """The mean of the F1 of each class; a class that is neither there nor found is left out."""
    confusion = np.bincount(truth * classes + found, minlength=classes * classes)
    confusion = confusion.reshape(classes, classes)
    hits, involved = np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1)
    there = involved > 0
    return float(np.mean(2 * hits[there] / involved[there]))


@dataclass(frozen=True)
class Detection:
    """Yes or no against yes or no. `f1` has an interval by bootstrap, the shares Wilson's."""

    positives: int
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None


def estimated_auc(
    truth: Sequence[bool], score: Sequence[float], clusters: Sequence[Hashable], context: Context
) -> Estimate | None:
    """AUC with its interval, rows of one cluster drawn together."""
    y, s = np.array(truth, bool), np.array(score, float)
    return bootstrap(
        lambda rows: auc(y[rows], s[rows]), clusters, seed=context.seed, rounds=context.rounds
    )


def estimated_macro_f1(
    truth: ArrayLike, found: ArrayLike, classes: int, clusters: Sequence[Hashable], context: Context
) -> Estimate | None:
    """Macro-F1 with its interval, rows of one cluster drawn together."""
    y, p = np.asarray(truth, np.int64), np.asarray(found, np.int64)
    return bootstrap(
        lambda rows: macro_f1(y[rows], p[rows], classes),
        clusters,
        seed=context.seed,
        rounds=context.rounds,
    )


def detection(
    truth: Sequence[bool], found: Sequence[bool], clusters: Sequence[Hashable], context: Context
) -> Detection:
    """Precision, recall and F1 of what was found."""
    y, p = np.array(truth, bool), np.array(found, bool)
    hits = int((y & p).sum())

    def f1(rows: NDArray[np.int64]) -> float:
        both = int(y[rows].sum()) + int(p[rows].sum())
        return float(2 * (y[rows] & p[rows]).sum() / both) if both else float("nan")

    return Detection(
        int(y.sum()),
        wilson(hits, int(p.sum())),
        wilson(hits, int(y.sum())),
        bootstrap(f1, clusters, seed=context.seed, rounds=context.rounds),
    )


def said(estimate: Estimate | None) -> str:
    """An estimate as a table shows it; a dash where it cannot be said."""
    return "–" if estimate is None else str(estimate)
