"""What agents' means are worth: planted variances come back, and what is chance is called so."""

import json
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from support.firms import firm
from warmline.annotation import Label
from warmline.cli import app
from warmline.research.reliability import components, crossed, rater_components, reliability

MONDAY = datetime(2026, 6, 1, 9)


def calls(
    seed: int, agent: float, week: float, call: float, *, agents: int = 25, weeks: int = 12
) -> Any:
    """Calls whose measure has these standard deviations; agents have unlike numbers of calls."""
    random = np.random.default_rng(seed)
    rows = []
    for a in range(agents):
        own = random.normal(0, agent)
        for w in range(weeks):
            of_week = random.normal(0, week)
            for c in range(int(random.integers(3, 15))):
                value = 1 + own + of_week + random.normal(0, call)
                rows.append((f"a{a}", MONDAY + timedelta(weeks=w, hours=c), value))
    return pd.DataFrame(rows, columns=["agent_id", "started_at", "m"])


def test_planted_components_are_recovered() -> None:
    found = [reliability(calls(seed, 0.3, 0.2, 1.0), "m") for seed in range(30)]
    parts = [r.components for r in found if r.components]
    assert np.mean([p.agent for p in parts]) == pytest.approx(0.09, abs=0.015)
    assert np.mean([p.agent_week for p in parts]) == pytest.approx(0.04, abs=0.01)
    assert np.mean([p.call for p in parts]) == pytest.approx(1.0, abs=0.02)
    # Reliability is the correlation with means of other calls of the same agents, squared or not.
    halves = [r.split_half for r in found if r.split_half is not None]
    assert np.mean([r.g for r in found if r.g is not None]) == pytest.approx(
        np.mean(halves), abs=0.05
    )


def test_as_many_calls_as_it_says_give_the_reliability_that_it_says() -> None:
    """With 0.05 between agents and 0.5 between calls, 0.7 takes 0.7 / 0.3 * 100 calls."""
    found = reliability(calls(1, 0.05, 0.0, 0.5, agents=400), "m")
    assert found.needed[0] == pytest.approx(233, rel=0.35)
    few = reliability(calls(1, 0.5, 0.0, 0.5, agents=100), "m")
    assert few.needed[0] is not None and few.needed[0] <= 4


def test_agents_who_are_alike_have_no_reliability() -> None:
    found = [reliability(calls(seed, 0.0, 0.0, 1.0), "m") for seed in range(20)]
    assert np.median([r.g for r in found if r.g is not None]) < 0.3
    assert any(r.needed == (None, None) for r in found)


@given(st.floats(0.1, 10), st.floats(-5, 5))
@settings(max_examples=15, deadline=None)
def test_units_change_nothing_but_the_variances(unit: float, shift: float) -> None:
    frame = calls(5, 0.3, 0.2, 1.0, agents=8, weeks=4)
    before = reliability(frame, "m")
    after = reliability(frame.assign(m=frame["m"] * unit + shift), "m")
    assert before.components and after.components
    assert after.components.agent == pytest.approx(before.components.agent * unit**2, rel=1e-6)
    assert after.g == pytest.approx(before.g)
    assert after.split_half == pytest.approx(before.split_half)


def test_components_by_hand() -> None:
    """Two agents with two weeks of two calls: the balanced table of any textbook."""
    values = np.array([1.0, 3, 5, 7, 2, 2, 10, 6])
    agents = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    weeks = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    found = components(values, agents, weeks)
    call = (2 + 2 + 0 + 8) / 4
    week = ((16 + 36) / 2 - call) / 2
    assert (found.call, found.week) == (pytest.approx(call), pytest.approx(week))
    assert found.agent == 0.0  # agents' means, 4 and 5, differ by less than their weeks do


def test_weeks_and_matters_are_told_from_agents() -> None:
    """Everybody has the same poor week, and complaints go worse, whoever takes them."""
    found = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        agent, week = np.repeat(np.arange(25), 60), np.tile(np.arange(12), 125)
        matter = random.integers(0, 6, len(agent))
        by_week = agent * 12 + week
        values = 0.3 * random.normal(size=25)[agent] + 0.4 * random.normal(size=12)[week]
        values += 0.3 * random.normal(size=6)[matter] + 0.2 * random.normal(size=300)[by_week]
        values += random.normal(size=len(agent))
        factors = {"agent": agent, "week": week, "matter": matter, "by_week": by_week}
        found.append(crossed(values, factors))
    mean = {name: np.mean([f[name] for f in found]) for name in found[0]}
    assert mean["agent"] == pytest.approx(0.09, abs=0.02)
    assert mean["week"] == pytest.approx(0.16, abs=0.04)
    assert mean["matter"] == pytest.approx(0.09, abs=0.03)
    assert mean["by_week"] == pytest.approx(0.04, abs=0.015)
    assert mean["call"] == pytest.approx(1.0, abs=0.02)


def test_an_agent_of_other_weeks_is_not_compared_as_one_of_the_same() -> None:
    """Weeks differ for all alike: a mean beside others of the same weeks is worth more."""
    frame = calls(3, 0.3, 0.0, 0.5)
    poor = frame["started_at"].dt.isocalendar().week.to_numpy() % 2 * 0.8
    found = reliability(frame.assign(m=frame["m"] + poor, contact_reason="order"), "m")
    assert found.g and found.phi and found.components
    assert found.components.week > 0.1 > found.components.agent_week
    assert found.phi < found.g - 0.02


def test_who_labels_is_told_from_what_is_labelled() -> None:
    """A third person sees feelings in turns in which the others see none."""
    random = np.random.default_rng(1)
    turns = random.random(400) < 0.5

    def sheet(misses: float, invents: float) -> dict[str, Label]:
        seen = np.where(turns, random.random(400) > misses, random.random(400) < invents)
        return {f"t{i}": Label("fear_anxiety" if s else "none") for i, s in enumerate(seen)}

    (alike,) = rater_components([sheet(0.1, 0.1), sheet(0.1, 0.1), sheet(0.1, 0.1)])
    (unlike,) = rater_components([sheet(0.1, 0.1), sheet(0.1, 0.1), sheet(0.05, 0.6)])
    assert (alike.question, alike.turns, alike.raters) == ("a feeling", 400, 3)
    assert alike.rater < 0.005 < 0.012 < unlike.rater
    assert alike.phi == pytest.approx(0.64, abs=0.06)  # (0.9 - 0.1) squared
    assert unlike.phi < alike.phi - 0.1
    assert alike.needed[0] == 2 and (unlike.needed[0] or 99) > 2
    assert rater_components([sheet(0.1, 0.1)]) == []


def test_too_little_has_a_reason() -> None:
    frame = calls(1, 0.3, 0.2, 1.0, agents=3, weeks=4)
    assert "agents are needed" in (reliability(frame, "m").reason or "")
    assert "in all calls" in (reliability(calls(1, 0, 0, 1).assign(m=2.0), "m").reason or "")
    empty = calls(1, 0, 0, 1).assign(m=np.nan)
    assert reliability(empty, "m").reason is not None


def test_the_command_says_it_in_words_and_in_json(tmp_path: Any) -> None:
    made = firm(tmp_path)
    asked = ["reliability", "--warehouse", str(made.warehouse)]
    asked += ["--measure", "answered_rate", "--measure", "reasks"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    text = " ".join(done.output.split())
    assert "answered_rate" in text and "too much of a ranking is luck" in text
    assert "Digest of calls, measures and outcomes" in text
    assert "warmline reliability --measure" in text
    numbers = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)["measures"]
    assert numbers[0]["measure"] == "answered_rate"
    assert numbers[0]["agents"] == 6 and 0 <= numbers[0]["g"] <= 1
    assert numbers[1]["reason"] is not None
