"""How many calls it takes to see an effect, by hand and by trying it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from warmline.errors import QueryError
from warmline.research.design import Effects
from warmline.research.power import Plan, detectable, intraclass, needed
from warmline.research.regression import fit


def test_calls_needed_by_hand() -> None:
    plan = Plan(outcome_sd=0.4, icc_outcome=0.1, icc_measure=0.2, calls_per_agent=51, usable=0.5)
    found = needed(0.02, plan)
    # (1.95996 + 0.84162)^2 * 0.16 / 0.0004 = 3139.6; DEFF 1 + 50 * 0.02 = 2
    assert (found.independent, found.design_effect, found.pooled) == (3140, 2.0, 6280)
    # within: * 0.9 / (0.8 * 50 / 51) = 3602.6
    assert (found.within, found.within_recorded, found.agents) == (3603, 7206, 71)
    assert detectable(found.within, plan) == pytest.approx(0.02, rel=1e-3)
    assert needed(-0.02, plan) == found
    assert needed(0.02, replace(plan, reliability=0.5)).independent == 6280
    assert needed(0.02, replace(plan, tests=10)).within > found.within


def test_the_power_that_is_promised_is_had() -> None:
    random = np.random.default_rng(11)
    agents, each = 20, 40
    plan = Plan(outcome_sd=1.0, icc_outcome=0.2, icc_measure=0.3, calls_per_agent=each)
    effect = detectable(agents * each, plan)
    agent = np.repeat(np.arange(agents), each)
    hits = []
    for _ in range(150):
        x = _clustered(random, agent, 0.3)
        y = effect * x + _clustered(random, agent, 0.2)
        model = fit(y, x[:, None], ("x",), agent, Effects.FIXED)
        hits.append(model.estimate("x", 0.95).p < 0.05)
    assert 0.67 <= np.mean(hits) <= 0.9


def _clustered(random: Any, agent: Any, icc: float) -> Any:
    between = random.normal(size=agent.max() + 1)[agent]
    return np.sqrt(icc) * between + np.sqrt(1 - icc) * random.normal(size=len(agent))


def test_the_intraclass_correlation_is_recovered() -> None:
    agent = np.repeat(np.arange(400), 12)
    values = _clustered(np.random.default_rng(2), agent, 0.3)
    assert intraclass(values, agent) == pytest.approx(0.3, abs=0.05)
    assert intraclass(np.tile([0.0, 1.0], 10), np.repeat(np.arange(5), 4)) == 0.0
    assert intraclass(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1])) == 1.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"icc_outcome": 1.0}, "icc_outcome = 1"),
        ({"reliability": 0.0}, "reliability = 0"),
        ({"alpha": 0.0}, "alpha = 0"),
        ({"outcome_sd": 0.0}, "outcome_sd = 0"),
        ({"calls_per_agent": 1.0}, "calls_per_agent must be at least 2"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(changes: dict[str, float], said: str) -> None:
    with pytest.raises(QueryError, match=said):
        needed(0.02, replace(Plan(outcome_sd=0.4), **changes))
    with pytest.raises(QueryError, match="effect = 0"):
        needed(0.0, Plan(outcome_sd=0.4))
    with pytest.raises(QueryError, match="calls = 0"):
        detectable(0, Plan(outcome_sd=0.4))
