"""How many calls it takes to see an effect, by hand and by trying it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import nct, t

from warmline.errors import QueryError
from warmline.research import Design, Effects
from warmline.research.power import Plan, detectable, intraclass, needed, observed
from warmline.research.regression import fit


def test_calls_needed_by_hand() -> None:
    plan = Plan(outcome_sd=0.4, icc_outcome=0.1, icc_measure=0.2, calls_per_agent=51, usable=0.5)
    plan = replace(plan, weeks=0, balance=1.0)
    found = needed(0.02, plan)
    # (1.95996 + 0.84162)^2 * 0.16 / 0.0004 = 3139.6; DEFF 1 + 50 * 0.02 = 2
    assert (found.independent, found.design_effect) == (3140, 2.0)
    # within: * 0.9 / (0.8 * 50 / 51) = 3602.6 by the normal distribution; of 71 agents some more
    assert 3602 < found.within < 3750
    assert found.agents == -(-found.within // 51)
    assert abs(found.within_recorded - 2 * found.within) <= 1
    assert _promised(found.within, 0.02, plan) >= 0.8 > _promised(found.within - 51, 0.02, plan)
    assert detectable(found.within, plan) == pytest.approx(0.02, rel=1e-3)
    assert needed(-0.02, plan) == found
    assert needed(0.02, replace(plan, reliability=0.5)).independent == 6280
    assert needed(0.02, replace(plan, tests=10)).within > found.within
    half = needed(0.02, replace(plan, explained_measure=0.5))
    assert half.within == pytest.approx(2 * found.within, rel=0.02)


def _promised(calls: int, effect: float, plan: Plan) -> float:
    """Return the power by scipy's noncentral t, agents alike and one less degrees of freedom."""
    df = calls / plan.calls_per_agent - 1
    gain = (1 - plan.icc_measure) * (1 - 1 / plan.calls_per_agent) / (1 - plan.icc_outcome)
    distance = effect * np.sqrt(calls * gain) / plan.outcome_sd
    return float(nct.sf(t.ppf(1 - plan.alpha / 2, df), df, distance))


@pytest.mark.parametrize("agents", [5, 8, 20])
def test_few_agents_take_larger_effects_than_the_normal_distribution_says(agents: int) -> None:
    """The error itself is a guess where agents are few: Student's t, not the normal."""
    plan = Plan(outcome_sd=1.0, calls_per_agent=50, weeks=0, balance=1.0)
    calls = agents * 50
    effect = detectable(calls, plan)
    assert _promised(calls, effect, plan) == pytest.approx(0.8, abs=0.003)
    uneven = detectable(calls, replace(plan, balance=0.7))
    in_weeks = detectable(calls, replace(plan, weeks=10))
    assert min(uneven, in_weeks) > effect
    assert needed(effect, plan).within == pytest.approx(calls, abs=1)


@pytest.mark.parametrize(("agents", "least", "most"), [(6, 0.7, 0.9), (20, 0.7, 0.9)])
def test_the_power_that_is_promised_is_had(agents: int, least: float, most: float) -> None:
    random = np.random.default_rng(11)
    each = 40
    plan = Plan(1.0, 0.2, 0.3, calls_per_agent=each, weeks=0, balance=1.0)
    effect = detectable(agents * each, plan)
    agent = np.repeat(np.arange(agents), each)
    hits = []
    for _ in range(300):
        x = _clustered(random, agent, 0.3)
        y = effect * x + _clustered(random, agent, 0.2)
        model = fit(y, x[:, None], ("x",), agent, Effects.FIXED)
        hits.append(model.estimate("x", 0.95).p < 0.05)
    assert least <= np.mean(hits) <= most


def test_a_plan_by_calls_knows_what_controls_take_and_what_agents_are_worth() -> None:
    random = np.random.default_rng(4)
    sizes = np.array([400, 40, 40, 40, 40, 40])
    agent = np.repeat(np.arange(6), sizes)
    state = random.normal(size=len(agent))
    frame = pd.DataFrame(
        {
            "agent_id": [f"a{a}" for a in agent],
            "started_at": pd.Timestamp("2026-01-05") + pd.to_timedelta(np.arange(600) % 63, "D"),
            "log_duration": state,
            "m": state + random.normal(size=600),
            "outcome": 2 * state + random.normal(size=600),
        }
    )
    design = Design(outcome="o", measures=("m",), controls=("duration",))
    found = observed(frame, design)
    assert found["explained"] == pytest.approx(0.8, abs=0.05)
    assert found["explained_measure"] == pytest.approx(0.5, abs=0.07)
    assert found["weeks"] == 9
    # One agent has two thirds of the calls: six are worth about two.
    assert 0.2 < found["balance"] < 0.6
    assert found["usable"] == 1.0
    weighed = observed(frame.assign(weight=np.where(np.arange(600) < 60, 10.0, 1.0)), design)
    assert weighed["usable"] == pytest.approx((60 * 10 + 540) ** 2 / (60 * 100 + 540) / 600)


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
        ({"balance": 0.0}, "balance = 0"),
        ({"weeks": -1.0}, "weeks = -1"),
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
