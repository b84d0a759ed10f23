"""How many calls it takes to see an effect of a given size, when calls come in agents."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import ceil, sqrt
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from warmline.errors import QueryError
from warmline.research.associations import complete_cases
from warmline.research.calibration import MEASURE, known_reliability
from warmline.research.design import Controls, Design
from warmline.research.robust import Array, Codes
from warmline.research.sample import (
    count_calls,
    read_recognised,
    read_sample,
    require_libraries,
)

_LEAST_ROWS = 30


@dataclass(frozen=True)
class Plan:
    """Assumptions about a study that is planned.

    `outcome_sd` is of the outcome between calls; of a share p it is sqrt(p (1 - p)). The ICCs are
    the shares of variance that lie between agents. `explained` is the share of the outcome's
    variance that the controls take off. `reliability` is the share of the measure's variance that
    is no error of measurement: what is recognised in part is seen in part. `usable` is the share
    of recorded calls that have both the outcome and the measure. `tests` measures are corrected
    for as Bonferroni does, which is never too hopeful.
    """

    outcome_sd: float
    icc_outcome: float = 0.05
    icc_measure: float = 0.10
    calls_per_agent: float = 200.0
    explained: float = 0.0
    reliability: float = 1.0
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
    measure; both normal in large samples. Raises QueryError for values that cannot be.
    """
    _require_sensible(plan)
    if effect == 0:
        raise QueryError("effect = 0 cannot be told from none with any number of calls")
    independent = _z2(plan) * _noise(plan) / effect**2
    pooled = independent * _design_effect(plan)
    within = independent / _gain(plan)
    return Needed(
        independent=ceil(independent),
        design_effect=_design_effect(plan),
        pooled=ceil(pooled),
        within=ceil(within),
        pooled_recorded=ceil(pooled / plan.usable),
        within_recorded=ceil(within / plan.usable),
        agents=ceil(within / plan.calls_per_agent),
    )


def detectable(calls: int, plan: Plan) -> float:
    """Return the smallest effect per SD that so many usable calls can see within agents."""
    _require_sensible(plan)
    if calls < 1:
        raise QueryError(f"calls = {calls}: at least 1")
    return sqrt(_z2(plan) * _noise(plan) / _gain(plan) / calls)


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


def _noise(plan: Plan) -> float:
    """Variance of what is left of the outcome, blown up by the errors of the measure."""
    return plan.outcome_sd**2 * (1 - plan.explained) / plan.reliability


def _design_effect(plan: Plan) -> float:
    return 1 + (plan.calls_per_agent - 1) * plan.icc_outcome * plan.icc_measure


def _gain(plan: Plan) -> float:
    """Return what staying within agents gains: less noise, less spread, a mean an agent spent."""
    left = (1 - plan.icc_measure) * (1 - 1 / plan.calls_per_agent)
    return left / (1 - plan.icc_outcome)


def _require_sensible(plan: Plan) -> None:
    shares = ("icc_outcome", "icc_measure", "explained")
    for name in shares:
        if not 0 <= getattr(plan, name) < 1:
            raise QueryError(f"{name} = {getattr(plan, name):g} is not from 0 to below 1")
    for name in ("reliability", "usable"):
        if not 0 < getattr(plan, name) <= 1:
            raise QueryError(f"{name} = {getattr(plan, name):g} is not above 0 and at most 1")
    for name in ("alpha", "power"):
        if not 0 < getattr(plan, name) < 1:
            raise QueryError(f"{name} = {getattr(plan, name):g} is not between 0 and 1")
    if plan.outcome_sd <= 0:
        raise QueryError(f"outcome_sd = {plan.outcome_sd:g}: the outcome must differ between calls")
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
    """Return what the warehouse has of a plan: spread, ICCs, calls per agent, usable calls.

    Of the answered rate also how reliable a call's is for so few cues, which is an upper bound:
    what is recognised wrongly lowers it further, by how much labels say.
    """
    require_libraries()
    frame = read_sample(warehouse, design).frame
    cases = complete_cases(frame, design.measures[0], Controls((), {}))
    if len(cases.y) < _LEAST_ROWS:
        raise QueryError(
            f"{len(cases.y)} calls have {design.outcome} and {design.measures[0]}, at least "
            f"{_LEAST_ROWS} are needed to plan from; give --base-rate or --outcome-sd instead"
        )
    sd = float(np.std(cases.y, ddof=1))
    if sd == 0:
        raise QueryError(f"{design.outcome} is {cases.y[0]:g} in all calls: nothing to plan from")
    calls = count_calls(warehouse, design)
    known = {}
    if design.measures[0] == MEASURE:
        known["reliability"] = known_reliability(read_recognised(warehouse, design))
    return known | {
        "outcome_sd": sd,
        "icc_outcome": intraclass(cases.y, cases.clusters),
        "icc_measure": intraclass(cases.measure, cases.clusters),
        "calls_per_agent": max(2.0, len(cases.y) / cases.agents),
        "usable": len(cases.y) / max(calls, len(cases.y)),
    }
