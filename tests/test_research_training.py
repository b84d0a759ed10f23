"""Before and after a training: a planted change is found, and luck is not taken for one."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from support.firms import firm
from warmline.cli import app
from warmline.errors import DataError
from warmline.research import Design
from warmline.research.training import TrainingEffect, read_roster, training_effects

DAY = date(2026, 6, 1)
DESIGN = Design(measures=("m",), controls=())


def calls(seed: int, *, effect: float = 0.0, pick: str = "any", trend: float = 0.0) -> Any:
    """Twenty-four agents, 12 weeks either side, eight of them trained; weeks rise for everybody.

    `pick` says who is trained: `any`, or the `lowest` by their mean before.
    """
    random = np.random.default_rng(seed)
    agents, weeks, each = 24, 24, 4
    agent = np.repeat(np.arange(agents), weeks * each)
    week = np.tile(np.repeat(np.arange(weeks) - 12, each), agents)
    level = 0.4 + 0.05 * random.normal(size=agents)[agent] + 0.01 * week
    level = level + 0.05 * random.normal(size=(agents, weeks))[agent, week + 12]
    y = level + 0.4 * random.normal(size=len(agent))
    before = np.bincount(agent, y * (week < 0))
    chosen = np.argsort(before)[:8] if pick == "lowest" else random.choice(agents, 8, False)
    trained = np.isin(agent, chosen)
    y = y + trained * ((week >= 0) * effect + trend * week)
    start = datetime(2026, 6, 1, 10, tzinfo=UTC)
    frame = pd.DataFrame(
        {
            "agent_id": [f"a{a:02}" for a in agent],
            "started_at": [
                start + timedelta(weeks=int(w), hours=i % 90) for i, w in enumerate(week)
            ],
            "m": y,
        }
    )
    return frame, {f"a{a:02}": DAY for a in chosen}


def one(seed: int, **given: Any) -> TrainingEffect:
    frame, trained = calls(seed, **given)
    (found,) = training_effects(frame, trained, DESIGN)
    return found


def test_a_planted_change_is_found_and_the_rise_of_everybody_is_not_counted() -> None:
    found = [one(seed, effect=0.15) for seed in range(100, 108)]
    assert np.mean([f.change.value for f in found if f.change]) == pytest.approx(0.15, abs=0.035)
    assert np.mean([f.same_start.value for f in found if f.same_start]) == pytest.approx(
        0.15, abs=0.035
    )
    assert np.mean([f.is_clear(0.05) for f in found]) >= 0.8
    # The raw before and after would have said 12 points more.
    assert (found[0].trained, found[0].untrained) == (8, 16)


def test_the_lowest_rise_by_luck_and_nothing_is_said_to_have_changed() -> None:
    found = [one(seed, pick="lowest") for seed in range(12)]
    assert np.mean([f.change.value for f in found if f.change]) > 0.02
    assert abs(np.mean([f.same_start.value for f in found if f.same_start])) < 0.02
    assert sum(f.is_clear(0.05) for f in found) <= 2


def test_moving_apart_before_the_training_is_seen() -> None:
    found = one(3, trend=0.04)
    assert found.trend_before and found.trend_before.p < 0.05
    assert found.trend_before.value == pytest.approx(0.04, abs=0.03)
    assert [(p.first, p.last) for p in found.periods] == [
        (-12, -9),
        (-8, -5),
        (0, 3),
        (4, 7),
        (8, 11),
    ]


def test_agents_changes_are_drawn_together_where_they_differ_by_luck() -> None:
    found = one(5, effect=0.1)
    raw = np.std([a.change for a in found.agents])
    assert np.std([a.shrunken.value for a in found.agents]) < 0.7 * raw
    assert found.change
    mean = np.mean([a.shrunken.value for a in found.agents])
    assert mean == pytest.approx(found.change.value, abs=0.02)


def test_agents_trained_later_are_controls_until_then() -> None:
    frame, trained = calls(7, effect=0.0)
    names = sorted(trained)
    later = {name: DAY + timedelta(weeks=8) for name in names[:4]}
    staggered = trained | later
    frame = frame.assign(
        m=frame["m"]
        + 0.3
        * frame["agent_id"].map(staggered).notna()
        * (
            frame["started_at"].dt.tz_localize(None)
            >= pd.to_datetime(frame["agent_id"].map(staggered))
        )
    )
    (found,) = training_effects(frame, staggered, DESIGN, weeks=4)
    assert found.change and found.change.value == pytest.approx(0.3, abs=0.1)
    assert found.trained == 8 and found.untrained >= 16


def test_without_untrained_agents_there_is_a_reason() -> None:
    frame, _ = calls(1)
    everybody = dict.fromkeys(frame["agent_id"].unique(), DAY)
    (found,) = training_effects(frame, everybody, DESIGN)
    assert found.change is None
    assert found.reason and found.reason.startswith("0 untrained agents have calls")


def test_the_command_says_what_changed_and_who_is_unknown(tmp_path: Path) -> None:
    made = firm(tmp_path, calls=240, agents=8)
    roster = tmp_path / "trained.csv"
    rows = "".join(f"agent-{i},2026-07-06\n" for i in range(4))
    roster.write_text(f"agent_id,date\n{rows}")
    command = ["research", "training", str(roster), "--warehouse", str(made.warehouse)]
    command += ["--measure", "ownership", "--weeks", "5"]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    assert "In none of 1 measures did trained agents clearly change" in run.output
    report = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    (told,) = report["measures"]
    assert report["provenance"]["command"].endswith(
        f"training {roster} --weeks 5 --measure ownership --control contact_reason --control queue "
        "--correction bh"
    )
    assert (told["trained"], told["untrained"], len(told["agents"])) == (4, 4, 4)
    assert told["change"]["low"] < 0 < told["change"]["high"]
    roster.write_text(f"agent_id,date\n{rows}stranger,2026-07-06\n")
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 1
    assert "1 of 5 trained agents have no call here: stranger" in " ".join(run.output.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("agent,date\nx,2026-01-01\n", "line 1: there is no column agent_id"),
        ("agent_id,date\nx,01/02/2026\n", "line 2, column date: '01/02/2026' is not a day"),
        ("agent_id,date\nx,2026-01-01\nx,2026-02-01\n", "line 3, column agent_id: 'x' is there"),
        ("agent_id,date\n,2026-01-01\n", "line 2, column agent_id: it is empty"),
        ("agent_id,date\n", "nobody was trained by this file"),
    ],
)
def test_a_wrong_roster_is_named_by_line_and_column(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "trained.csv"
    path.write_text(text)
    with pytest.raises(DataError) as error:
        read_roster(path)
    assert said in str(error.value)
