"""How long customers stay after a call: proportional hazards of leaving, within agents."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from warmline.research.associations import Cases, complete_cases, corrected, why_not
from warmline.research.design import Design, Effects
from warmline.research.regression import Estimate, independent_columns, less_means
from warmline.research.robust import t_interval
from warmline.research.terms import Controls, design_matrix, usable

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
    """Every measure of the design in a Cox model of its own.

    `spells` is a pandas frame as of `associations`, with `days` followed and `outcome` 1 when the
    customer left then. Fixed effects are strata: each agent has a baseline of their own. Random
    effects are not fitted here; the baseline is then common and only the errors know of agents.
    """
    controls = usable(spells, design.controls)
    found = [_hazard(spells, measure, design, controls) for measure in design.measures]
    p_values = corrected([h.ratio.p if h.ratio else None for h in found], design.correction)
    return tuple(replace(h, p_corrected=p) for h, p in zip(found, p_values, strict=True))


def _hazard(spells: Any, measure: str, design: Design, controls: Controls) -> Hazard:
    cases = complete_cases(spells, measure, controls)
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
        se = float(model.standard_errors_[bare.measure])
        if abs(value) > _BEYOND_BELIEF or not np.isfinite(se) or se <= 0:
            return replace(bare, reason="no estimate: the measure all but tells who leaves")
        test = proportional_hazard_test(model, frame, time_transform="rank")
    df = float(cases.agents - 1)
    ratio = Estimate(value, se, df, *t_interval(value, se, df, design.confidence))
    p = dict(zip(test.name, np.atleast_1d(test.p_value), strict=True))
    return replace(bare, ratio=ratio, proportional_p=float(p[bare.measure]))
