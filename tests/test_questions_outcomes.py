"""The named queries about outcomes, on a few calls whose answers were worked out by hand."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from support.factories import NO_ROLES, call, cue, definitions_of, measured, moment
from warmline import landing
from warmline.analysis import CallAnalysis, rate
from warmline.cli import app
from warmline.query.questions import ask, ask_named
from warmline.values import RoleName, SpeakerSource
from warmline.warehouse.outcomes import load_outcomes

SAYS = [
    ("B", 0.0, 2.0, "how can I help"),
    ("A", 2.0, 9.0, "my card is gone and I am worried"),
    ("B", 9.0, 40.0, "let me see"),
]


def rated(name: str, number: int, answered: int, cues: int, **more: Any) -> CallAnalysis:
    """A call of so many cues, the answered ones first; customers are named after their calls."""
    found = [
        cue(1, 3.0 + i, 4.0 + i, "worried", answer="affective" if i < answered else "ignored")
        for i in range(cues)
    ]
    metrics = [
        measured("opportunities", None, float(cues)),
        rate("answered_rate", None, answered, cues, no_answer="no cue"),
    ]
    settled: dict[str, Any] = {
        "says": SAYS,
        "cues": found,
        "metrics": metrics,
        "customer_id": f"of {name}",
        "started_at": datetime(2026, 11, number, 12, tzinfo=UTC),
    }
    return call(name, **{**settled, **more})


CALLS = (
    rated("ignored", 1, 0, 2, agent_id="ann"),
    rated("heard", 2, 2, 2, agent_id="ann"),
    rated("calm", 3, 0, 0, agent_id="bob"),
    rated(
        *("half", 4, 1, 2),
        agent_id="bob",
        moments=[moment("hostile", 1, 5.0, 6.0, "x", party="A", role=RoleName.CUSTOMER)],
    ),
    rated(
        *("voices", 5, 0, 0),
        agent_id="bob",
        metrics=[],
        roles=NO_ROLES,
        source=SpeakerSource.DIARIZATION,
    ),
    rated("played", 6, 2, 2, is_simulated=True),
)
LINES = (
    "customer_id,date,retained,nps",
    "of ignored,2026-11-05,0,2",
    "of heard,2026-11-20,1,9",
    "of calm,2026-11-20,1,8",
    "of half,2026-11-10,1,",
    "of half,2026-12-24,0,3",
    "of voices,2026-11-20,1,7",
    "of played,2026-11-20,1,9",
    "of nobody,2026-11-20,1,1",
)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outcomes")
    for analysis in CALLS:
        landing.write(analysis, folder / "l")
    (folder / "o.csv").write_text("\n".join(LINES) + "\n")
    load_outcomes(folder / "o.csv", folder / "l", folder / "w", definitions_of(CALLS))
    return folder / "w"


def asked(warehouse: Path, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
    return list(ask_named(warehouse, name, parameters).rows)


def test_outcomes_by_answered_rate(warehouse: Path) -> None:
    found = asked(warehouse, "outcomes_by_answered_rate")
    # Ann's mean is 1/2; Bob's 2/3, as the customer of `half` leaves within 90 days
    assert [(*row[:4], row[6]) for row in found] == [
        ("none", 1, 1, 0.0, pytest.approx(-1 / 2)),
        ("half or more", 1, 1, 0.0, pytest.approx(-2 / 3)),
        ("all", 1, 1, 1.0, pytest.approx(1 / 2)),
        ("no cue", 1, 1, 1.0, pytest.approx(1 / 3)),
        ("not known", 1, 1, 1.0, pytest.approx(1 / 3)),
    ]
    assert found[2][4:6] == (pytest.approx(0.2065, abs=1e-4), 1.0)  # Wilson for 1 of 1
    soon = asked(warehouse, "outcomes_by_answered_rate", within_days=30)
    assert [row[3] for row in soon] == [0.0, 1.0, 1.0, 1.0, 1.0]
    ratings = asked(warehouse, "outcomes_by_answered_rate", outcome="nps", since="2026-11-02")
    assert [(row[0], row[3], row[4]) for row in ratings] == [
        ("half or more", 3.0, None),
        ("all", 9.0, None),
        ("no cue", 8.0, None),
        ("not known", 7.0, None),
    ]


def test_outcomes_by_opening(warehouse: Path) -> None:
    found = asked(warehouse, "outcomes_by_opening")
    assert [row[:6] for row in found] == [
        ("calm", 1, 0.0, 0.0, None, 1.0),
        ("shows feelings", 2, 4.0, 2.0, 0.5, 0.5),
        ("hostile or worn by friction", 1, 2.0, 1.0, 0.5, 0.0),
        ("not known", 1, None, None, None, 1.0),
    ]
    assert found[2][6:] == (0.0, pytest.approx(0.7935, abs=1e-4))  # Wilson for 0 of 1


def test_outcome_matching(warehouse: Path) -> None:
    found = [row[:5] for row in asked(warehouse, "outcome_matching")]
    assert found == [
        ("nps", "matched", 6, 6 / 7, 6),
        ("nps", "no call of this customer", 1, 1 / 7, 1),
        ("retained", "matched", 7, 7 / 8, 6),
        ("retained", "no call of this customer", 1, 1 / 8, 1),
    ]


def test_unmatched_outcomes(warehouse: Path) -> None:
    found = asked(warehouse, "unmatched_outcomes", outcome="nps")
    assert [(row[0], row[1], row[3], row[8]) for row in found] == [
        ("o.csv", 9, 1.0, "no call of this customer")
    ]
    assert len(asked(warehouse, "unmatched_outcomes")) == 2


def test_left_after_a_call(warehouse: Path) -> None:
    found = asked(warehouse, "left_after_a_call", days=60)
    assert [(row[0], round(row[2], 1), row[8]) for row in found] == [
        ("ignored", 4.5, 0.0),
        ("half", 50.5, 0.5),
    ]
    assert [row[0] for row in asked(warehouse, "left_after_a_call")] == ["ignored"]


@pytest.mark.parametrize("name", ["outcomes_by_answered_rate", "outcomes_by_opening"])
def test_simulated_calls_are_asked_about_apart(warehouse: Path, name: str) -> None:
    (row,) = ask_named(warehouse, name, {"simulated": "true"}).rows
    assert row[1] == 1


def test_nobody_is_told_of_nothing_where_simulated_calls_were_left_out(warehouse: Path) -> None:
    words = ["query", "left_after_a_call", "-p", "since=2027-01-01", "--warehouse", str(warehouse)]
    said = CliRunner().invoke(app, words).stderr
    assert "this warehouse has 1 of them; -p simulated=true" in " ".join(said.split())
    said = CliRunner().invoke(app, [*words, "-p", "simulated=true"]).stderr
    assert "simulated calls are left out" not in " ".join(said.split())


def test_differences_that_cancel_out_are_zero(tmp_path: Path) -> None:
    calls = [rated(f"c{i}", i, 2, 2, agent_id="ann") for i in (1, 2, 3)]
    for analysis in calls:
        landing.write(analysis, tmp_path / "l")
    lines = [f"of c{i},2026-11-05,{nps}" for i, nps in ((1, 2), (2, 9), (3, 9))]
    (tmp_path / "o.csv").write_text("\n".join(["customer_id,date,nps", *lines]))
    load_outcomes(tmp_path / "o.csv", tmp_path / "l", tmp_path / "w", definitions_of(calls))
    found = ask_named(tmp_path / "w", "outcomes_by_answered_rate", {"outcome": "nps"})
    place = found.columns.index("above_agents_own_mean")
    assert [row[place] for row in found.rows] == [0.0]


def test_an_interval_of_none_or_all_ends_at_0_or_1(warehouse: Path) -> None:
    asked = "SELECT min(wilson(0, n).low), max(wilson(0, n).low), min(wilson(n, n).high) "
    found = ask(warehouse, asked + "FROM range(1, 100) AS numbers(n)")
    assert found.rows == ((0.0, 0.0, 1.0),)
