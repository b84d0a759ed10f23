"""How long customers stay: planted hazards are recovered, and what cannot be told has a reason."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from support.firms import world
from warmline.research import Controls, Design
from warmline.research.associations import complete_cases
from warmline.research.survival import _moved, hazards, latest_calls

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


def contacts(seed: int, log_hazard: float) -> Any:
    """Customers whose hazard follows their latest call; the export begins on day 60 of 240."""
    random = np.random.default_rng(seed)
    rows = []
    for customer in range(400):
        days = np.sort(random.uniform(0, 240, random.poisson(5)))
        m = random.normal(size=len(days))
        edges = np.concatenate([[0.0], days, [np.inf]])
        rates = np.exp(-5.5 + np.concatenate([[0.0], log_hazard * m]))
        need, end, left = random.exponential(), 240.0, 0.0
        for low, high, rate in zip(edges[:-1], edges[1:], rates, strict=True):
            if need < (high - low) * rate:
                if low + need / rate < 240:
                    end, left = low + need / rate, 1.0
                break
            need -= (high - low) * rate
        rows += [
            (f"customer-{customer}", f"agent-{random.integers(8)}", day, own, end - day, left)
            for day, own in zip(days, m, strict=True)
            if 60 <= day < end
        ]
    frame = pd.DataFrame(rows, columns=["customer_id", "agent_id", "day", "m", "days", "outcome"])
    return frame.assign(started_at=pd.Timestamp("2026-01-05") + pd.to_timedelta(frame["day"], "D"))


def test_the_latest_call_counts_where_an_export_begins_late() -> None:
    design = replace(DESIGN, controls=(), after_days=0.0)
    found = [latest_calls(contacts(seed, -0.5), design)[0] for seed in range(6)]
    values = [f.ratio.value / f.sd for f in found if f.ratio and f.sd]
    assert np.mean(values) == pytest.approx(-0.5, abs=0.1)
    holds = [f.ratio.low < -0.5 * f.sd < f.ratio.high for f in found if f.ratio and f.sd]
    assert np.mean(holds) >= 0.8
    # Rows that are followed beyond the next call have much less of it.
    beyond = [hazards(contacts(seed, -0.5), design)[0] for seed in range(6)]
    others = [f.ratio.value / f.sd for f in beyond if f.ratio and f.sd]
    assert abs(np.mean(others)) < 0.8 * abs(np.mean(values))
    none = [latest_calls(contacts(seed, 0.0), design)[0].ratio for seed in range(6)]
    assert sum(r.low < 0 < r.high for r in none if r) >= 5


def test_each_customer_leaves_once_by_the_latest_call() -> None:
    frame = contacts(8, 0.0)
    (found,) = latest_calls(frame, replace(DESIGN, controls=(), after_days=0.0))
    left = frame[frame["outcome"] > 0]["customer_id"].nunique()
    (every,) = hazards(frame, replace(DESIGN, controls=(), after_days=0.0))
    assert found.events == left < every.events


def test_each_row_moves_the_estimate_by_about_what_leaving_it_out_does() -> None:
    """At the estimate the moves of all rows sum to 0; lifelines' own, with strata, do not."""
    from lifelines import CoxPHFitter

    frame = spells(5, -0.3, agents=4, each=40)
    cases = complete_cases(frame, "m", Controls((), {}))
    days, left = frame["days"].to_numpy(float), cases.y
    table = pd.DataFrame({"m": cases.measure, "days": days, "left": left, "s": cases.clusters})

    def slope(rows: Any) -> float:
        return float(CoxPHFitter().fit(rows, "days", "left", strata=["s"]).params_["m"])

    whole = slope(table)
    ours, shares = _moved(
        table[["m"]].to_numpy(float),
        np.array([whole]),
        days - days - 1,
        days,
        cases,
        cases.clusters,
    )
    assert ours.sum() == pytest.approx(0.0, abs=1e-5)
    assert shares.sum() == pytest.approx(1.0) and len(shares) == 4
    some = range(0, 160, 8)
    without = [whole - slope(table.drop(index=row)) for row in some]
    assert np.corrcoef(ours[list(some)], without)[0, 1] > 0.995
    assert np.polyfit(without, ours[list(some)], 1)[0] == pytest.approx(1.0, abs=0.1)
