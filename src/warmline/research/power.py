"""How many calls it takes to see an effect of a given size, when calls come in agents."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from math import ceil, sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from warmline.errors import QueryError
from warmline.research import Array, Codes, Design, Effects, design_matrix, usable
from warmline.research.associations import (
    LEAST_AGENTS,
    LEAST_WEEKS,
    Cases,
    complete_cases,
    fit_cases,
)
from warmline.research.calibration import MEASURE, known_reliability
from warmline.research.regression import cr2, independent_columns, less_means
from warmline.research.sample import (
    count_calls,
    read_recognised,
    read_sample,
    require_libraries,
)

_LEAST_ROWS = 30
_MOST_DF = 1000.0
_STEPS = 1000
_MOST_TOLD = 0.95


@dataclass(frozen=True)
class Plan:
    """Assumptions about a study that is planned.

    `outcome_sd` is of the outcome between calls; of a share p it is sqrt(p (1 - p)). The ICCs are
    the shares of variance that lie between agents. `explained` is the share of the outcome's
    variance that the controls take off, `explained_measure` that of the measure's. `reliability`
    is the share of the measure's variance that is no error of measurement: what is recognised in
    part is seen in part. `balance` is how many agents with equal numbers of calls one of these
    agents is worth, 1 where all have the same. `weeks` is over how many weeks calls come: errors
    allow for weeks being alike, from eight on. `usable` is the share of recorded calls that have
    both the outcome and the measure. `tests` measures are corrected for as Bonferroni does, which
    is never too hopeful.
    """

    outcome_sd: float
    icc_outcome: float = 0.05
    icc_measure: float = 0.10
    calls_per_agent: float = 200.0
    explained: float = 0.0
    explained_measure: float = 0.0
    reliability: float = 1.0
    balance: float = 0.9
    weeks: float = 13.0
    usable: float = 1.0
    alpha: float = 0.05
    power: float = 0.8
    tests: int = 1


@dataclass(frozen=True)
class Needed:
    """Calls needed, by how agents are dealt with.

    `independent` is what a formula that knows of no agents says; `design_effect` is what the
    pooled comparison needs more (Moulton 1986). `within` compares agents with themselves. The
    `recorded` ones also count calls that turn out not to be usable.
    """

    independent: int
    design_effect: float
    pooled: int
    within: int
    pooled_recorded: int
    within_recorded: int
    agents: int


def needed(effect: float, plan: Plan) -> Needed:
    """Return the calls needed to see `effect`.

    That is the outcome's change per SD of the measure, were it measured without error.

    The variance of a slope is that of what is left of the outcome over that of what is left of the
    measure. How far a slope must lie from 0 to be seen follows from Student's t with the degrees
    of freedom that so many agents leave. Raises QueryError for values that cannot be.
    """
    _require_sensible(plan)
    if effect == 0:
        raise QueryError("effect = 0 cannot be told from none with any number of calls")
    of_one = _noise(plan) / effect**2
    pooled = _calls(of_one * _design_effect(plan), plan)
    within = _calls(of_one / _gain(plan), plan)
    return Needed(
        independent=ceil(_z2(plan) * of_one),
        design_effect=_design_effect(plan),
        pooled=pooled,
        within=within,
        pooled_recorded=ceil(pooled / plan.usable),
        within_recorded=ceil(within / plan.usable),
        agents=ceil(_agents(within, plan)),
    )


def detectable(calls: int, plan: Plan) -> float:
    """Return the smallest effect per SD that so many usable calls can see within agents."""
    _require_sensible(plan)
    if calls < 1:
        raise QueryError(f"calls = {calls}: at least 1")
    return _distance(calls, plan) * sqrt(_noise(plan) / _gain(plan) / calls)


def intraclass(values: Array, clusters: Codes) -> float:
    """Return the share of variance between clusters, 0..1: the analysis-of-variance estimate.

    Clusters may be of unequal size (Donner 1986); below 0, which chance can bring, it is 0.
    """
    counts = np.bincount(clusters)
    n, groups = len(values), len(counts)
    if groups < 2 or n <= groups:
        return 0.0
    means = np.bincount(clusters, values) / counts
    within = float(((values - means[clusters]) ** 2).sum()) / (n - groups)
    between = float((counts * (means - values.mean()) ** 2).sum()) / (groups - 1)
    size = (n - float((counts**2).sum()) / n) / (groups - 1)
    total = between + (size - 1) * within
    return max(0.0, (between - within) / total) if total > 0 else 0.0


def _z2(plan: Plan) -> float:
    normal = NormalDist()
    return (normal.inv_cdf(1 - plan.alpha / plan.tests / 2) + normal.inv_cdf(plan.power)) ** 2


def _calls(of_one: float, plan: Plan) -> int:
    """Return the fewest calls n with n >= distance(n)^2 * `of_one`; more calls never need more."""
    low, high = 1, 2
    while _distance(high, plan) ** 2 * of_one > high:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _distance(middle, plan) ** 2 * of_one > middle:
            low = middle
        else:
            high = middle
    return high


def _agents(calls: float, plan: Plan) -> float:
    return max(float(LEAST_AGENTS), calls / plan.calls_per_agent)


def _distance(calls: float, plan: Plan) -> float:
    """Return how many standard errors from 0 an effect must lie to be seen as often as wanted."""
    df = min(_MOST_DF, max(1.0, plan.balance * _agents(calls, plan) - 1))
    return _noncentrality(df, plan.weeks, plan.alpha / plan.tests, plan.power)


@cache
def _noncentrality(df: float, weeks: float, alpha: float, power: float) -> float:
    """Return the noncentrality of Student's t at which p < alpha as often as `power`.

    Half of the time what weeks share adds to the error by chance (it is never taken off): then
    the variance is larger by its own error, sqrt(2 / weeks), and degrees of freedom are at most
    weeks less one.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr
    from scipy.stats import chi2, t

    own = float(t.ppf(1 - alpha / 2, df))
    ends = [own]
    if weeks >= LEAST_WEEKS:
        more = sqrt(2 / weeks) * sqrt(2 / np.pi)
        ends.append(float(t.ppf(1 - alpha / 2, min(df, weeks - 1))) * sqrt(1 + more))
    # What a standard error may be of the true one, each as likely.
    errors = np.sqrt(chi2.ppf((np.arange(_STEPS) + 0.5) / _STEPS, df) / df)
    limits = np.outer(ends, errors)

    def short(distance: float) -> float:
        return float(np.mean(ndtr(distance - limits) + ndtr(-distance - limits))) - power

    return float(brentq(short, 0.0, limits.max() + 10, xtol=1e-6)) if short(0.0) < 0 else 0.0


def _noise(plan: Plan) -> float:
    """Variance of what is left of the outcome, blown up by the errors of the measure."""
    return plan.outcome_sd**2 * (1 - plan.explained) / plan.reliability


def _design_effect(plan: Plan) -> float:
    return 1 + (plan.calls_per_agent - 1) * plan.icc_outcome * plan.icc_measure


def _gain(plan: Plan) -> float:
    """Return what staying within agents gains: less noise, less spread, a mean an agent spent."""
    left = (1 - plan.icc_measure) * (1 - 1 / plan.calls_per_agent) * (1 - plan.explained_measure)
    return left / (1 - plan.icc_outcome)


def _require_sensible(plan: Plan) -> None:
    shares = ("icc_outcome", "icc_measure", "explained", "explained_measure")
    for name in shares:
        if not 0 <= getattr(plan, name) < 1:
            raise QueryError(f"{name} = {getattr(plan, name):g} is not from 0 to below 1")
    for name in ("reliability", "usable", "balance"):
        if not 0 < getattr(plan, name) <= 1:
            raise QueryError(f"{name} = {getattr(plan, name):g} is not above 0 and at most 1")
    for name in ("alpha", "power"):
        if not 0 < getattr(plan, name) < 1:
            raise QueryError(f"{name} = {getattr(plan, name):g} is not between 0 and 1")
    if plan.outcome_sd <= 0:
        raise QueryError(f"outcome_sd = {plan.outcome_sd:g}: the outcome must differ between calls")
    if plan.weeks < 0:
        raise QueryError(f"weeks = {plan.weeks:g}: at least 0")
    if plan.calls_per_agent < 2 or plan.tests < 1:
        raise QueryError("calls_per_agent must be at least 2, tests at least 1")


def plan_from(
    warehouse: Path,
    design: Design | None,
    base_rate: float | None,
    outcome_sd: float | None,
    given: Mapping[str, Any],
) -> Plan:
    """Return a plan; what is given (and not None) counts, then what the calls of a design show.

    Raises QueryError when the spread of the outcome is not to be had, or the calls are too few to
    say anything; and as `read_sample`.
    """
    values = _observed(warehouse, design) if design is not None else {}
    values |= {name: value for name, value in given.items() if value is not None}
    if base_rate is not None:
        if not 0 < base_rate < 1:
            raise QueryError(f"base_rate = {base_rate:g} is not between 0 and 1")
        values["outcome_sd"] = sqrt(base_rate * (1 - base_rate))
    if outcome_sd is not None:
        values["outcome_sd"] = outcome_sd
    if "outcome_sd" not in values:
        raise QueryError(
            "how the outcome differs is not known: --base-rate, --outcome-sd, or "
            "--outcome with a warehouse"
        )
    known = {field.name for field in fields(Plan)}
    return Plan(**{name: value for name, value in values.items() if name in known})


def _observed(warehouse: Path, design: Design) -> dict[str, Any]:
    """Return what the warehouse has of a plan: spread, ICCs, agents, weeks, usable calls.

    Of the answered rate also how reliable a call's is for so few cues, which is an upper bound:
    what is recognised wrongly lowers it further, by how much labels say.
    """
    require_libraries()
    frame = read_sample(warehouse, design).frame
    known = observed(frame, design)
    if design.measures[0] == MEASURE:
        known["reliability"] = known_reliability(read_recognised(warehouse, design))
    calls = count_calls(warehouse, design)
    return known | {"usable": min(1.0, known["usable"] * len(frame) / max(calls, len(frame)))}


def observed(frame: Any, design: Design) -> dict[str, float]:
    """Return what calls like those that are planned show of a plan, for a design's first measure.

    `frame` as of `associations`. `usable` is of these rows: calls that stand for others (weights)
    are worth fewer (Kish 1965). Raises QueryError where too few have outcome and measure.
    """
    measure = design.measures[0]
    controls = usable(frame, design.controls)
    cases = complete_cases(frame, measure, controls)
    if len(cases.y) < _LEAST_ROWS:
        raise QueryError(
            f"{len(cases.y)} calls have {design.outcome}, {measure} and the controls, at least "
            f"{_LEAST_ROWS} are needed to plan from; give --base-rate or --outcome-sd instead"
        )
    sd = float(np.std(cases.y, ddof=1))
    if sd == 0:
        raise QueryError(f"{design.outcome} is {cases.y[0]:g} in all calls: nothing to plan from")
    kish = 1.0
    if cases.weights is not None:
        kish = float(cases.weights.sum() ** 2 / (cases.weights**2).sum()) / len(cases.y)
    return {
        "outcome_sd": sd,
        "icc_outcome": intraclass(cases.y, cases.clusters),
        "icc_measure": intraclass(cases.measure, cases.clusters),
        "calls_per_agent": max(2.0, len(cases.y) / cases.agents),
        "usable": len(cases.y) * kish / len(frame),
        "weeks": _weeks(cases.frame),
        **_of_controls(cases, controls.columns),
    }


def _weeks(frame: Any) -> float:
    if "started_at" not in frame or frame["started_at"].isna().any():
        return 0.0
    return float(frame["started_at"].dt.strftime("%G-%V").nunique())


def _of_controls(cases: Cases, columns: tuple[str, ...]) -> dict[str, float]:
    """Return what controls take of outcome and measure within agents, and what agents are worth."""
    others, names = design_matrix(cases.frame, columns)
    found = {}
    for name, values in (("explained", cases.y), ("explained_measure", cases.measure)):
        spread = _left(values, others[:, :0], cases.clusters)
        share = 1 - _left(values, others, cases.clusters) / spread if spread > 0 else 0.0
        found[name] = float(np.clip(share, 0.0, _MOST_TOLD))
    whole = np.column_stack([others, cases.measure - cases.measure.mean()])
    model = fit_cases(cases, whole, (*names, "(measure)"), Effects.FIXED)
    if "(measure)" in model.names:
        row = np.array([[float(name == "(measure)") for name in model.names]])
        df = float(cr2(model.x, model.residuals, model.clusters, row).df[0])
        found["balance"] = float(np.clip((df + 1) / cases.agents, 0.01, 1.0))
    return found


def _left(values: Array, x: Array, clusters: Codes) -> float:
    """Return the variance within clusters of what columns do not tell."""
    inside = less_means(np.column_stack([x, values]), clusters)
    columns = inside[:, :-1][:, independent_columns(inside[:, :-1])]
    rest = inside[:, -1] - columns @ np.linalg.lstsq(columns, inside[:, -1], rcond=None)[0]
    dof: int = max(len(values) - len(np.unique(clusters)) - columns.shape[1], 1)
    return float(rest @ rest) / dof
