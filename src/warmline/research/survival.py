"""How long customers stay after a call: proportional hazards of leaving, within agents."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from warmline.research import (
    WORDS,
    Array,
    Codes,
    Controls,
    Design,
    Effects,
    design_matrix,
    usable,
)
from warmline.research.associations import (
    LARGEST_SHARE,
    Cases,
    complete_cases,
    corrected,
    why_not,
)
from warmline.research.regression import Coefficient, independent_columns, less_means, t_interval

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
    ratio: Coefficient | None = None
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


def _cases_of(rows: Any, measure: str, design: Design, controls: Controls) -> tuple[Cases, Hazard]:
    """Return the complete cases of a measure, and its counts with the reason against a result."""
    cases = _told_apart(complete_cases(rows, measure, controls), measure, controls)
    events = int(cases.y.sum())
    reason = why_not(cases, design)
    if reason is None and events < _LEAST_EVENTS:
        reason = f"{events} customers left, at least {_LEAST_EVENTS} are needed"
    counted = Hazard(measure, len(cases.y), events, cases.agents, cases.missing)
    return cases, replace(counted, reason=reason)


def _hazard(spells: Any, measure: str, design: Design, controls: Controls) -> Hazard:
    cases, bare = _cases_of(spells, measure, design, controls)
    if bare.reason:
        return bare
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
    frame["(stratum)"] = cases.clusters
    strata = ["(stratum)"] if design.effects is Effects.FIXED else None
    if strata is None:
        frame = frame.drop(columns="(stratum)")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model = CoxPHFitter().fit(frame, "(days)", "(left)", strata=strata)
        except (ConvergenceError, ConvergenceWarning, np.linalg.LinAlgError):
            return replace(bare, reason="no estimate: something tells exactly who leaves")
        params = np.asarray(model.params_[list(names)], dtype=np.float64)
        value, stop = float(params[-1]), cases.frame["days"].to_numpy(float)
        groups = cases.clusters if strata else np.zeros_like(cases.clusters)
        moved, shares = _moved(x, params, np.full(len(x), -1.0), stop, cases, groups)
        se, df = _error(moved, shares, cases)
        if abs(value) > _BEYOND_BELIEF or not np.isfinite(se) or se <= 0:
            return replace(bare, reason="no estimate: the measure all but tells who leaves")
        if shares.max() > LARGEST_SHARE:
            return replace(bare, reason=f"one agent has {shares.max():.0%} of what there is to see")
        test = proportional_hazard_test(model, frame, time_transform="rank")
    ratio = Coefficient(value, se, df, *t_interval(value, se, df, design.confidence))
    p = dict(zip(test.name, np.atleast_1d(test.p_value), strict=True))
    return replace(bare, ratio=ratio, proportional_p=float(p[bare.measure]))


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


def latest_calls(spells: Any, design: Design) -> tuple[Hazard, ...]:
    """Fit the hazard of leaving by the measure of a customer's latest call, for each measure.

    A second opinion on `hazards`, in which each customer is one and the measure changes with every
    call (a Cox model with time-varying covariates). Time is that of the calendar, so that months
    need not be held equal, and a customer is at risk from the first call on: who left before the
    export begins is not in it, and who was there before is not counted as having been watched. A
    call counts from the landmark on; how many calls there had been is held equal.
    """
    controls = usable(spells, tuple(c for c in design.controls if c != "month"))
    rows = _by_customer(spells, design.after_days)
    found = [_latest(rows, measure, design, controls) for measure in design.measures]
    p_values = corrected([h.ratio.p if h.ratio else None for h in found], design.correction)
    return tuple(replace(h, p_corrected=p) for h, p in zip(found, p_values, strict=True))


def _by_customer(spells: Any, after_days: float) -> Any:
    """Return each call from its landmark to that of the customer's next, or to the end."""
    rows = spells.dropna(subset=["customer_id", "started_at"])
    rows = rows.sort_values(["customer_id", "started_at"], ignore_index=True)
    began = (rows["started_at"] - rows["started_at"].min()).dt.total_seconds() / 86_400
    start, own = began + after_days, rows.groupby("customer_id", sort=False)
    following = start.groupby(rows["customer_id"], sort=False).shift(-1)
    end = start + rows["days"]
    is_last = following.isna() | (end <= following)
    made = rows.assign(
        start=start,
        stop=end.where(is_last, following),
        outcome=rows["outcome"].where(is_last, 0.0),
        earlier=np.log1p(own.cumcount()),
    )
    return made[made["stop"] > made["start"]]


def _latest(rows: Any, measure: str, design: Design, controls: Controls) -> Hazard:
    cases, bare = _cases_of(rows, measure, design, controls)
    if bare.reason:
        return bare
    sd = float(cases.measure.std(ddof=1))
    others, names = design_matrix(cases.frame, controls.columns)
    earlier = cases.frame["earlier"].to_numpy(float)
    columns = np.column_stack([others, earlier, (cases.measure - cases.measure.mean()) / sd])
    strata = cases.clusters if design.effects is Effects.FIXED else np.zeros_like(cases.clusters)
    kept = independent_columns(less_means(columns, strata))
    if columns.shape[1] - 1 not in kept:
        return replace(bare, reason="the controls tell the measure exactly: nothing is left of it")
    named = [(*names, "(earlier calls)", measure)[i] for i in kept]
    x = columns[:, kept]
    params = _time_varying(x, named, cases, strata)
    if params is None or abs(params[-1]) > _BEYOND_BELIEF:
        return replace(bare, reason="no estimate: something tells exactly who leaves")
    start, stop = (cases.frame[c].to_numpy(float) for c in ("start", "stop"))
    moved, shares = _moved(x, params, start, stop, cases, strata)
    if shares.max() > LARGEST_SHARE:
        return replace(bare, reason=f"one agent has {shares.max():.0%} of what there is to see")
    se, df = _error(moved, shares, cases)
    value = float(params[-1])
    ratio = Coefficient(value, se, df, *t_interval(value, se, df, design.confidence))
    return replace(bare, sd=sd, ratio=ratio)


def _time_varying(x: Array, names: Sequence[str], cases: Cases, strata: Codes) -> Array | None:
    """Return the coefficients of lifelines' model; None where it does not settle."""
    import pandas as pd
    from lifelines import CoxTimeVaryingFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    frame = pd.DataFrame(x, columns=list(names))
    frame["(id)"] = np.arange(len(x))
    frame["(start)"], frame["(stop)"] = (cases.frame[c].to_numpy(float) for c in ("start", "stop"))
    frame["(left)"], frame["(stratum)"] = cases.y.astype(bool), strata
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model = CoxTimeVaryingFitter().fit(
                frame,
                event_col="(left)",
                start_col="(start)",
                stop_col="(stop)",
                id_col="(id)",
                strata=["(stratum)"],
            )
        except (ConvergenceError, ConvergenceWarning, np.linalg.LinAlgError):
            return None
    return np.asarray(model.params_[list(names)], dtype=np.float64)


def _moved(
    x: Array, params: Array, start: Array, stop: Array, cases: Cases, strata: Codes
) -> tuple[Array, Array]:
    """Return how far each row moves the last coefficient, and agents' shares of what is known.

    lifelines has no residuals of rows that enter late, so that they are here: of the partial
    likelihood of each baseline, with whoever is at risk (`start` to `stop`) at each leaving. With
    a baseline for each agent what is known is a sum over agents; with a common one calls stand for
    it.
    """
    hazard = np.exp(x @ params - (x @ params).max())
    scores, known = np.zeros_like(x), []
    for stratum in np.unique(strata):
        own = np.flatnonzero(strata == stratum)
        times = np.unique(stop[own][cases.y[own] > 0])
        if not len(times):
            known.append(np.zeros((x.shape[1], x.shape[1])))
            continue
        at_risk = (start[own] < times[:, None]) & (stop[own] >= times[:, None])
        weight = at_risk * hazard[own]
        mean = weight @ x[own] / weight.sum(axis=1)[:, None]
        leaving = np.searchsorted(times, stop[own])
        gone = cases.y[own] > 0
        deaths = np.bincount(leaving[gone], minlength=len(times)).astype(np.float64)
        expected = weight * (deaths / weight.sum(axis=1))[:, None]
        scores[own] = expected.T @ mean - expected.sum(axis=0)[:, None] * x[own]
        scores[own[gone]] += x[own[gone]] - mean[leaving[gone]]
        outer = (x[own] * expected.sum(axis=0)[:, None]).T @ x[own]
        known.append(outer - (mean * deaths[:, None]).T @ mean)
    contrast = np.linalg.inv(np.sum(known, axis=0))[:, -1]
    if len(known) == 1:
        shares = np.bincount(cases.clusters).astype(np.float64) / len(cases.clusters)
    else:
        shares = np.array([float(contrast @ info @ contrast) for info in known])
    moved: Array = scores @ contrast
    return moved, shares / shares.sum()
