"""What a question is about that says no days: the last four weeks with calls."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.factories import call, definitions_of
from warmline import landing
from warmline.query.questions import ask_named
from warmline.warehouse.publishing import publish


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("period")
    calls = [
        call(name, started_at=started_at)
        for name, started_at in {
            "old": datetime(2026, 9, 1, 9, tzinfo=UTC),
            "just-too-old": datetime(2026, 10, 21, 23, tzinfo=UTC),
            "first-day": datetime(2026, 10, 22, 0, tzinfo=UTC),
            "last-day": datetime(2026, 11, 18, 9, tzinfo=UTC),
            "misdated": datetime(2099, 1, 1, 9, tzinfo=UTC),
        }.items()
    ]
    for analysis in calls:
        landing.write(analysis, folder / "landing")
    publish(folder / "landing", folder / "w.duckdb", definitions_of(calls))
    return folder / "w.duckdb"


def asked(warehouse: Path, **given: str) -> set[str]:
    answer = ask_named(warehouse, "hard_to_hear", {"min_words": 1, **given})
    return {row[0] for row in answer.rows}


def test_without_a_day_it_is_the_last_four_weeks(warehouse: Path) -> None:
    assert asked(warehouse) == {"first-day", "last-day", "misdated"}


def test_an_end_moves_the_beginning(warehouse: Path) -> None:
    assert asked(warehouse, until="2026-11-18") == {"just-too-old", "first-day"}


def test_an_empty_since_asks_for_all(warehouse: Path) -> None:
    assert len(asked(warehouse, since="")) == 5
