"""How long customers stay after a call: proportional hazards of leaving, within agents."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from warmline.research.associations import (
    LARGEST_SHARE,
    Cases,
    complete_cases,
    corrected,
    why_not,
)
from warmline.research.design import (
    WORDS,
    Controls,
    Design,
    Effects,
    design_matrix,
    usable,
)
from warmline.research.regression import Estimate, independent_columns, less_means
from warmline.research.robust import Array, t_interval

_LEAST_EVENTS = 20
_BEYOND_BELIEF = 5.0


@dataclass(frozen=True)
class Hazard:
    """One measure beside the hazard of leaving.

    `ratio` is the log hazard ratio per SD of the measure, below 0 when customers stay longer.
    `proportional_p` tests (Grambsch & Therneau 1994) whether it is the same at all times; a small
    one says that it is not. With a `reason` there is no estimate.
    """

    measure: str
    n: int
    events: int
    agents: int
    missing: dict[str, int]
    sd: float | None = None
    ratio: Estimate | None = None
    p_corrected: float | None = None
    proportional_p: float | None = None
    reason: str | None = None


def hazards(spells: Any, design: Design) -> tuple[Hazard, ...]:
    """Fit a Cox model of leaving for each measure of the design.

    `spells` is a pandas frame as of `associations`, with `days` followed and `outcome` 1 when the
    customer left then. Every call is a row, followed beyond the customer's next call (landmark
    rows), so that one leaving may end several: errors allow for calls of an agent and for calls of
    a customer. Fixed effects are strata: each agent has a baseline of their own. Random effects are
    not fitted here; the baseline is then common and only the errors know of agents.
    """
    controls = usable(spells, design.controls)
    found = [_hazard(spells, measure, design, controls) for measure in design.measures]
    p_values = corrected([h.ratio.p if h.ratio else None for h in found], design.correction)
    return tuple(replace(h, p_corrected=p) for h, p in zip(found, p_values, strict=True))


def _hazard(spells: Any, measure: str, design: Design, controls: Controls) -> Hazard:
    cases = _told_apart(complete_cases(spells, measure, controls), measure, controls)
    events = int(cases.y.sum())
    bare = Hazard(measure, len(cases.y), events, cases.agents, cases.missing)
    if reason := why_not(cases, design):
        return replace(bare, reason=reason)
    if events < _LEAST_EVENTS:
        return replace(bare, reason=f"{events} customers left, at least {_LEAST_EVENTS} are needed")
    sd = float(cases.measure.std(ddof=1))
    others, names = design_matrix(cases.frame, controls.columns)
    scaled = (cases.measure - cases.measure.mean()) / sd
    columns = np.column_stack([others, scaled])
    strata = cases.clusters if design.effects is Effects.FIXED else np.zeros_like(cases.clusters)
    kept = independent_columns(less_means(columns, strata))
    if columns.shape[1] - 1 not in kept:
        return replace(bare, reason="the controls tell the measure exactly: nothing is left of it")
    named = [(*names, measure)[i] for i in kept]
    return _fitted(replace(bare, sd=sd), cases, columns[:, kept], named, design)


def _told_apart(cases: Cases, measure: str, controls: Controls) -> Cases:
    """Return the rows less those of a month, queue, ... in which nobody left, and count these.

    Who surely stays is in no risk set, once that is held equal; a model with them does not settle.
    """
    frame, missing = cases.frame, dict(cases.missing)
    for column in (c for c in controls.columns if c in WORDS):
        left = frame.groupby(column)["outcome"].transform("sum") > 0
        if not left.all():
            missing[f"{column} in which nobody left"] = int((~left).sum())
        frame = frame[left]
    if len(frame) == len(cases.frame):
        return cases
    return replace(complete_cases(frame, measure, controls), missing=missing)


def _fitted(bare: Hazard, cases: Cases, x: Any, names: Sequence[str], design: Design) -> Hazard:
    import pandas as pd
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning
    from lifelines.statistics import proportional_hazard_test

    frame = pd.DataFrame(x, columns=list(names))
    frame["(days)"], frame["(left)"] = cases.frame["days"].to_numpy(float), cases.y
    frame["(agent)"] = frame["(stratum)"] = cases.clusters
    strata = ["(stratum)"] if design.effects is Effects.FIXED else None
    if strata is None:
        frame = frame.drop(columns="(stratum)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model = CoxPHFitter().fit(
                frame, "(days)", "(left)", cluster_col="(agent)", strata=strata
            )
        except (ConvergenceError, ConvergenceWarning, np.linalg.LinAlgError):
            return replace(bare, reason="no estimate: something tells exactly who leaves")
        value = float(model.params_[bare.measure])
        moved = model.compute_residuals(frame, "delta_beta").sort_index()[bare.measure]
        chance = np.asarray(model.predict_log_partial_hazard(frame), dtype=np.float64)
        shares = _shares(x, chance, cases, strata=strata is not None)
        se, df = _error(moved.to_numpy(float), shares, cases)
        if abs(value) > _BEYOND_BELIEF or not np.isfinite(se) or se <= 0:
            return replace(bare, reason="no estimate: the measure all but tells who leaves")
        if shares.max() > LARGEST_SHARE:
            return replace(bare, reason=f"one agent has {shares.max():.0%} of what there is to see")
        test = proportional_hazard_test(model, frame, time_transform="rank")
    ratio = Estimate(value, se, df, *t_interval(value, se, df, design.confidence))
    p = dict(zip(test.name, np.atleast_1d(test.p_value), strict=True))
    return replace(bare, ratio=ratio, proportional_p=float(p[bare.measure]))


def _shares(x: Array, log_hazard: Array, cases: Cases, *, strata: bool) -> Array:
    """Return each agent's share of what is known of the last column, all else held equal.

    With a baseline for each agent the information of the partial likelihood is a sum over agents;
    with a common one calls stand for it.
    """
    agents = [np.flatnonzero(cases.clusters == a) for a in range(cases.agents)]
    if not strata:
        return np.bincount(cases.clusters).astype(np.float64) / len(cases.clusters)
    days = cases.frame["days"].to_numpy(float)
    own = [_information(x[r], days[r], cases.y[r], np.exp(log_hazard[r])) for r in agents]
    contrast = np.linalg.inv(np.sum(own, axis=0))[:, -1]
    known = np.array([float(contrast @ info @ contrast) for info in own], dtype=np.float64)
    shares: Array = known / known.sum()
    return shares


def _information(x: Array, days: Array, left: Array, hazard: Array) -> Array:
    """Return the information of one baseline: who is at risk differs by so much at each leaving."""
    order = np.argsort(-days, kind="stable")
    x, days, left, hazard = x[order], days[order], left[order], hazard[order]
    last = np.searchsorted(-days, -days, side="right") - 1  # all who are followed as long, too
    total = np.cumsum(hazard)[last]
    mean = np.cumsum(hazard[:, None] * x, axis=0)[last] / total[:, None]
    outer = np.cumsum(hazard[:, None, None] * x[:, :, None] * x[:, None, :], axis=0)[last]
    spread = outer / total[:, None, None] - mean[:, :, None] * mean[:, None, :]
    information: Array = (left[:, None, None] * spread).sum(axis=0)
    return information


def _error(moved: Array, shares: Array, cases: Cases) -> tuple[float, float]:
    """Return the standard error and its degrees of freedom.

    `moved` (n,) is how far each row moves the coefficient. What an agent moves it is too small by
    the agent's share, as in CR2; degrees of freedom are Satterthwaite's for such shares. What calls
    of a customer (and of a week) have in common across agents is added.
    """
    agents = np.bincount(cases.clusters, moved)
    variance = float((agents**2 / np.maximum(1 - shares, 1e-9)).sum())
    squares, cubes = float((shares**2).sum()), float((shares**3).sum())
    df = (1 - squares) ** 2 / max(squares - 2 * cubes + squares**2, 1e-12)
    for other in cases.others:
        both = np.unique(cases.clusters * (int(other.max()) + 1) + other, return_inverse=True)[1]
        more = (np.bincount(other, moved) ** 2).sum() - (np.bincount(both, moved) ** 2).sum()
        if more > 0:
            variance, df = variance + float(more), min(df, float(other.max()))
    return float(np.sqrt(variance)), float(df)
