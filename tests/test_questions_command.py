"""The commands `query` and `check`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from warmline.cli.query import check, query
from warmline.errors import QueryError
from warmline.query.questions import named_queries


@pytest.fixture
def shell(week: Path) -> Iterator[Any]:
    app = typer.Typer()
    app.command()(query)
    app.command()(check)
    runner = CliRunner()

    def run(*words: str) -> Any:
        return runner.invoke(app, [*words, "--warehouse", str(week)])

    yield run


def test_the_command_prints_csv_json_and_a_table(shell: Any) -> None:
    words = ("query", "customer_voice", "-p", "cue=fear_anxiety")
    assert shell(*words, "--csv").stdout.splitlines()[1] == (
        "stolen-card,2026-11-16 09:00:00,cards,fraud,fear_anxiety,"
        "I am afraid they empty my account,8.0,14.0,/calls/stolen-card.wav"
    )
    (row,) = json.loads(shell(*words, "--json").stdout)
    assert (row["call_id"], row["start_s"]) == ("stolen-card", 8.0)
    table = shell("query", "SELECT call_id, duration_s FROM calls WHERE call_id = 'angry-bill'")
    assert [line.split() for line in table.stdout.splitlines() if "angry" in line] == [
        ["angry-bill", "120"]
    ]


def test_the_command_lists_the_queries(shell: Any) -> None:
    listed = shell("query", "--list").stdout
    assert all(name in listed for name in named_queries())
    found = json.loads(shell("query", "--list", "--json").stdout)
    assert {entry["name"] for entry in found} == set(named_queries())


@pytest.mark.parametrize("name", ["calls", "turns", "call_summary", "evaluation_detail"])
def test_the_name_of_a_table_or_view_asks_for_its_rows(shell: Any, name: str) -> None:
    by_name, by_select = (shell("query", asked, "--csv") for asked in (name, f"FROM {name}"))
    assert by_name.exit_code == 0
    assert sorted(by_name.stdout.splitlines()) == sorted(by_select.stdout.splitlines())  # any order


def test_the_command_keeps_formulas_out_of_spreadsheets(shell: Any) -> None:
    printed = shell("query", "SELECT '=1+1' AS said, -1 AS number", "--csv").stdout
    assert printed.splitlines() == ["said,number", "'=1+1,-1"]


def test_the_command_says_what_was_left_out(shell: Any) -> None:
    assert "only the first 1 rows" in shell("query", "FROM calls", "--limit", "1").output


def test_the_command_needs_a_question_and_pairs(shell: Any) -> None:
    assert shell("query").exit_code == 2
    assert isinstance(shell("query", "phrase", "-p", "text").exception, QueryError)


def test_the_check_command_passes_on_a_sound_warehouse(shell: Any) -> None:
    found = shell("check", "--json")
    assert found.exit_code == 0
    assert all(result["passed"] for result in json.loads(found.stdout))
    assert "failed" not in shell("check").stdout
