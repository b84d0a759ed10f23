"""How many calls it takes to see an effect of a given size, when calls come in agents."""

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

import numpy as np

from warmline.errors import QueryError
from warmline.research.robust import Array, Codes


@dataclass(frozen=True)
class Plan:
    """What a study is expected to look like.

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
    """Calls needed to see `effect`: the outcome's change per SD of the measure, were it measured
    without error.

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
    """The smallest effect per SD that a within-agent comparison of so many usable calls can see."""
    _require_sensible(plan)
    if calls < 1:
        raise QueryError(f"calls = {calls}: at least 1")
    return sqrt(_z2(plan) * _noise(plan) / _gain(plan) / calls)


def intraclass(values: Array, clusters: Codes) -> float:
    """The share of variance between clusters, 0..1: the analysis-of-variance estimate.

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
    """What staying within agents is worth: less noise, less spread, a mean an agent spent."""
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
