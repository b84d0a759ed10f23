"""Least squares within agents, with standard errors that are honest with few of them.

What is the same for all calls of an agent cannot confound. Errors are the bias-reduced
linearization of Bell & McCaffrey 2002 (CR2), with Satterthwaite's degrees of freedom for each
contrast, as Pustejovsky & Tipton 2018 give it. The usual sandwich is too sure of itself below some
fifty clusters; a call centre's agents are often fewer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmline.research import Array, Codes, Effects

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


_SAME = 1e-9
_LEAST_CLUSTERS = 3
# A log odds of 15 is a chance of 3 in ten million.
_BEYOND_BELIEF = 15.0


@dataclass(frozen=True)
class Coefficient:
    """A coefficient, or a combination of some, with its uncertainty."""

    value: float
    se: float
    df: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Fit:
    """A fitted model. `names` are of the columns that were kept, in the order of `params`.

    `x` and `y` are as fitted: clusters' means taken off, rows multiplied by the root of their
    weight. `others` number, row by row, groups across clusters whose rows are alike, too
    (customers, weeks).
    """

    names: tuple[str, ...]
    params: Array
    x: Array
    y: Array
    residuals: Array
    clusters: Codes
    dof: int
    others: tuple[Codes, ...] = ()

    def estimates(self, contrasts: Array, confidence: float) -> list[Coefficient]:
        """Return combinations of coefficients, `contrasts` (m, k).

        Where rows of one customer, or of one week, lie with several agents, their likeness is added
        (two-way clustering, Cameron, Gelbach & Miller 2011), and never taken off. Degrees of
        freedom are then at most those of the other groups.
        """
        found = cr2(self.x, self.residuals, self.clusters, contrasts)
        variance, df = found.se**2, found.df
        for other in self.others:
            more = shared_variance(self.x, self.residuals, self.clusters, other, contrasts)
            variance = variance + np.maximum(more, 0.0)
            df = np.where(more > 0, np.minimum(df, float(other.max())), df)
        values = contrasts @ self.params
        return [
            Coefficient(v, se, d, *t_interval(v, se, d, confidence))
            for v, se, d in zip(
                values.tolist(), np.sqrt(variance).tolist(), df.tolist(), strict=True
            )
        ]

    def dominance(self, name: str) -> Dominance:
        """Return how far one cluster decides a coefficient."""
        return dominance(self.x, self.names.index(name), self.clusters)

    def bootstrap_p(self, name: str) -> float:
        """Return a coefficient's p-value by the wild cluster bootstrap."""
        return bootstrap_p(self.x, self.y, self.names.index(name), self.clusters)

    def estimate(self, name: str, confidence: float) -> Coefficient:
        """Return one coefficient."""
        row = np.array([[float(n == name) for n in self.names]])
        return self.estimates(row, confidence)[0]

    def robustness(self, name: str) -> float:
        """Return the robustness value of Cinelli & Hazlett 2020 for one coefficient.

        A confounder that explains less than this share of what is left of both the measure and the
        outcome cannot bring the estimate to 0.
        """
        place = self.names.index(name)
        variance = float(self.residuals @ self.residuals) / self.dof
        own = variance * float(np.linalg.inv(self.x.T @ self.x)[place, place])
        f2 = float(self.params[place]) ** 2 / own / self.dof
        return float(0.5 * (np.sqrt(f2**2 + 4 * f2) - f2))


def fit(
    y: Array,
    x: Array,
    names: tuple[str, ...],
    clusters: Codes,
    effects: Effects,
    *,
    weights: Array | None = None,
    others: tuple[Codes, ...] = (),
    groups: Codes | None = None,
) -> Fit:
    """Fit `y` on the columns of `x` by least squares; columns that say nothing new are left out.

    Fixed effects take the means of `groups` (n,), by default the clusters, off both sides; random
    ones a share of them, by the variances of a mixed model (Wooldridge 2010, ch. 10). Each group
    lies in one cluster. `weights` (n,) count rows for more than themselves (inverse
    probabilities); the mixed model does not know of them. `others` are as of `Fit`.
    """
    import statsmodels.api as sm

    groups = clusters if groups is None else groups
    absorbed = int(groups.max()) + 1 if effects is Effects.FIXED else 0
    if effects is not Effects.FIXED:
        x, names = np.column_stack([np.ones(len(y)), x]), ("(constant)", *names)
    if effects is not Effects.NONE:
        share = _share(y, x, groups) if effects is Effects.RANDOM else 1.0
        y = less_means(y[:, None], groups, share, weights)[:, 0]
        x = less_means(x, groups, share, weights)
    if weights is not None:
        root = np.sqrt(weights)
        y, x = y * root, x * root[:, None]
    kept = independent_columns(x)
    x, names = x[:, kept], tuple(names[i] for i in kept)
    fitted: Any = sm.OLS(y, x).fit()
    residuals = np.asarray(fitted.resid)
    dof = len(y) - absorbed - x.shape[1]
    return Fit(names, np.asarray(fitted.params), x, y, residuals, clusters, dof, others)


def logit_effect(
    y: Array,
    x: Array,
    names: tuple[str, ...],
    name: str,
    clusters: Codes,
    *,
    weights: Array | None = None,
    others: tuple[Codes, ...] = (),
    confidence: float = 0.95,
) -> Coefficient | str:
    """Return the average marginal effect of a column in a logit with an effect of each cluster.

    The change of the share of `y` (0 or 1) per unit, averaged over all rows; clusters in which
    nobody differs count with 0, as no change can be seen there. The average effect is next to free
    of the bias that coefficients have from many clusters (Fernandez-Val 2009). Its error is CR2's
    on the last step of the fit (weighted least squares), with Satterthwaite's degrees of freedom.
    A string says why there is no estimate.
    """
    import warnings

    import statsmodels.api as sm

    counts, ones = np.bincount(clusters), np.bincount(clusters, y)
    differs = ((ones > 0) & (ones < counts))[clusters]
    if np.unique(clusters[differs]).size < _LEAST_CLUSTERS:
        return f"the outcome differs within fewer than {_LEAST_CLUSTERS} agents"
    own = np.unique(clusters[differs], return_inverse=True)[1].astype(np.int64)
    whole = np.ones(len(y)) if weights is None else weights
    part = whole[differs]
    inside = less_means(x[differs], own)
    kept = independent_columns(inside)
    if names.index(name) not in kept:
        return "the controls tell the measure exactly: nothing is left of it"
    columns, told = x[differs][:, kept], tuple(names[i] for i in kept)
    dummies = (own[:, None] == np.arange(int(own.max()) + 1)).astype(float)
    design = np.column_stack([columns, dummies])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = sm.GLM(y[differs], design, sm.families.Binomial(), freq_weights=part).fit()
    params, chance = np.asarray(model.params), np.asarray(model.fittedvalues)
    if not model.converged or np.abs(params).max() > _BEYOND_BELIEF:
        return "something predicts the outcome exactly: a logit has no estimate"
    slope = chance * (1 - chance)
    root = np.sqrt(part * slope)
    last = less_means(columns, own, 1.0, part * slope) * root[:, None]
    errors = (y[differs] - chance) / slope * root
    fitted = Fit(
        told,
        params[: len(told)],
        last,
        errors,
        errors,
        own,
        len(errors) - design.shape[1],
        tuple(other[differs] for other in others),
    )
    found = fitted.estimate(name, confidence)
    scale = float((part * slope).sum() / whole.sum())
    return Coefficient(
        found.value * scale,
        found.se * scale,
        found.df,
        found.low * scale,
        found.high * scale,
        found.p,
    )


def independent_columns(x: Array) -> list[int]:
    """Return places of the columns that the ones before them do not make up, in order."""
    kept: list[int] = []
    basis = np.empty((len(x), 0))
    for place, column in enumerate(x.T):
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        length = float(np.linalg.norm(rest))
        if length > _SAME * max(float(np.linalg.norm(column)), 1.0):
            kept.append(place)
            basis = np.column_stack([basis, rest / length])
    return kept


def within_share(values: Array, clusters: Codes) -> float:
    """Return the share of a measure's variance that lies within clusters, 0..1."""
    centred = values - values.mean()
    total = float(centred @ centred)
    inside = less_means(values[:, None], clusters)[:, 0]
    return float(inside @ inside) / total if total > 0 else 0.0


def less_means(
    values: Array, clusters: Codes, share: Array | float = 1.0, weights: Array | None = None
) -> Array:
    """Return each row of columns less a share of its cluster's (weighted) mean.

    `share` may be one a cluster.
    """
    counts = np.bincount(clusters, weights)
    share = np.broadcast_to(share, counts.shape)
    columns = values.T if weights is None else values.T * weights
    means = np.stack([np.bincount(clusters, column) / counts for column in columns], axis=1)
    less: Array = values - (share[:, None] * means)[clusters]
    return less


def _share(y: Array, x: Array, clusters: Codes) -> Array:
    """Return what random effects take off of each cluster's mean."""
    import warnings

    import statsmodels.api as sm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance of 0 is an answer: the model is then pooled
        mixed: Any = sm.MixedLM(y, x[:, independent_columns(x)], groups=clusters).fit(reml=True)
    between, within = float(np.asarray(mixed.cov_re)[0, 0]), float(mixed.scale)
    share: Array = 1.0 - np.sqrt(within / (within + np.bincount(clusters) * between))
    return share
