"""How long customers stay: planted hazards are recovered, and what cannot be told has a reason."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from support.firms import world
from warmline.research.design import Design
from warmline.research.survival import hazards

DESIGN = Design(measures=("m",), controls=("opening",), min_n=50)


def spells(seed: int, log_hazard: float, *, agents: int = 12, each: int = 40) -> Any:
    """Follow-ups whose hazard rises by `log_hazard` per unit of `m`; agents differ."""
    random = np.random.default_rng(seed)
    frame = world(seed, agents=agents, each=each, is_confounded=False)
    base = np.repeat(random.normal(0, 0.5, agents), each)
    days = random.exponential(60 / np.exp(log_hazard * frame["m"] + base))
    return frame.assign(days=days.clip(0.1, 90), outcome=(days < 90) * 1.0)


def test_the_hazard_of_leaving_is_recovered() -> None:
    holds = []
    for seed in range(8):
        (found,) = hazards(spells(seed, -0.3), replace(DESIGN, controls=()))
        assert found.ratio and found.sd and found.events > 100
        holds.append(found.ratio.low <= -0.3 * found.sd <= found.ratio.high)
        assert found.ratio.value < 0
    assert np.mean(holds) >= 0.75


def test_a_hazard_that_cannot_be_told_has_a_reason() -> None:
    frame = spells(1, 0.0)
    order = frame["m"].rank()
    split = frame.assign(
        days=np.where(order < 200, 5 + order / 100, 80), outcome=(order < 200) * 1.0
    )
    (found,) = hazards(split, DESIGN)
    assert found.ratio is None and "no estimate" in (found.reason or "")
    few = frame.assign(outcome=(frame.index < 15) * 1.0)
    (found,) = hazards(few, DESIGN)
    assert found.reason == "15 customers left, at least 20 are needed"


def test_calls_of_one_customer_do_not_make_the_error_smaller() -> None:
    """Each follow-up stands there with three agents: there is no more to know than of one."""
    frame = spells(2, 0.0, agents=12, each=40).assign(agent_id="a")
    frame["agent_id"] = [f"agent-{i % 12}" for i in range(len(frame))]
    frame["customer_id"] = [f"customer-{i}" for i in range(len(frame))]
    (alone,) = hazards(frame, replace(DESIGN, controls=()))
    copies = [
        frame.assign(agent_id=[f"agent-{(i + s) % 12}" for i in range(len(frame))])
        for s in (0, 1, 2)
    ]
    (thrice,) = hazards(pd.concat(copies, ignore_index=True), replace(DESIGN, controls=()))
    assert alone.ratio and thrice.ratio
    assert thrice.ratio.se > 0.8 * alone.ratio.se


def test_a_month_in_which_nobody_left_is_left_out_and_counted() -> None:
    """Before, such a month kept the model from settling, and nothing was said of any measure."""
    frame = spells(3, -0.3).assign(month="2026-01")
    frame.loc[::2, "month"] = "2026-02"
    late = frame.index % 16 == 1
    frame.loc[late, "month"] = "2026-03"
    frame.loc[late, "outcome"] = 0.0
    (found,) = hazards(frame, replace(DESIGN, controls=("month",)))
    assert found.ratio and found.ratio.value < 0
    assert found.missing == {"month in which nobody left": int(late.sum())}
    assert found.n == len(frame) - late.sum()
