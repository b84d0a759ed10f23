"""The commands `query` and `check`."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.table import Table
from typer.testing import CliRunner

from warmline.cli import app, common
from warmline.cli import query as command
from warmline.cli.common import PlainConsole
from warmline.cli.query import check, export, query, search
from warmline.errors import QueryError
from warmline.query.questions import known_tables, named_queries


@pytest.fixture
def shell(week: Path) -> Iterator[Any]:
    app = typer.Typer()
    app.command()(query)
    app.command()(check)
    app.command()(export)
    app.command()(search)
    runner = CliRunner()

    def run(*words: str) -> Any:
        return runner.invoke(app, [*words, "--warehouse", str(week)])

    yield run


def test_the_command_prints_csv_json_and_a_table(shell: Any) -> None:
    words = ("query", "customer_voice", "-p", "cue=fear_anxiety")
    assert shell(*words, "--csv").stdout.splitlines()[1] == (
        "stolen-card,2026-11-16 09:00:00,cards,fraud,fear_anxiety,"
        "my card was stolen and I am afraid they empty my account,8.0,14.0,False,"
        "/calls/stolen-card.wav"
    )
    (row,) = json.loads(shell(*words, "--json").stdout)
    assert (row["call_id"], row["start_s"]) == ("stolen-card", 8.0)
    table = shell("query", "SELECT call_id, duration_s FROM calls WHERE call_id = 'angry-bill'")
    assert [line.split() for line in table.stdout.splitlines() if "angry" in line] == [
        ["angry-bill", "120.0"]
    ]


def test_the_command_lists_the_queries(shell: Any) -> None:
    listed = shell("query", "--list").stdout
    assert all(name in listed for name in named_queries())
    found = json.loads(shell("query", "--list", "--json").stdout)
    kinds = {entry["name"]: entry["kind"] for entry in found}
    assert {name for name, kind in kinds.items() if kind == "query"} == set(named_queries())
    assert (kinds["call_summary"], kinds["turns"]) == ("view", "table")
    assert "call_summary\n  One row a recording" in listed.replace("\n    ", " ")
    assert shell("query", "--list", "agent_week").stdout.splitlines()[0] == "agent_week"


def test_a_name_that_is_nearly_a_views_is_suggested(shell: Any) -> None:
    for words in (
        ("query", "call_sumary"),
        ("export", "-f", "csv", "--query", "call_sumary", "--to", "no.csv"),
    ):
        assert "'call_sumary'; did you mean call_summary?" in str(shell(*words).exception)
    said = str(shell("query", "unansweredcues").exception)
    assert "did you mean unanswered_cues?" in said


def test_piped_rows_are_tab_separated_and_whole(shell: Any) -> None:
    asked = "SELECT 'a\tb\nc' AS said, 1 / 3.0 AS share, [1, 2] AS list, NULL AS none"
    printed = shell("query", asked)
    assert printed.stdout == f"said\tshare\tlist\tnone\na b c\t{1 / 3}\t1, 2\t\n"
    assert printed.stderr == "1 row\n"


def test_what_a_named_query_takes_for_granted_is_said(shell: Any) -> None:
    """Without it, no rows of agents with twenty pauses in a week look like no pauses at all."""
    said = shell("query", "agent_latency", "-p", "until=2026-11-16").stderr
    assert said.endswith("Unless -p says otherwise: min_pauses=20, since=2026-11-09\n")
    whole = shell("query", "agent_latency", "-p", "since=", "-p", "min_pauses=2", "--json")
    assert json.loads(whole.stdout) and not whole.stderr
    all_given = shell("query", "agent_latency", "-p", "since=", "-p", "min_pauses=2")
    assert "Unless" not in all_given.stderr


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """A terminal of eighty columns: what is printed there."""
    page = io.StringIO()
    console = PlainConsole(
        file=page, force_terminal=True, width=80, color_system=None, highlight=False
    )
    monkeypatch.setattr(common, "output", lambda: console)
    monkeypatch.setattr(command, "output", lambda: console)
    yield page


def test_a_table_that_is_too_wide_is_a_card_a_row(shell: Any, terminal: io.StringIO) -> None:
    long = "one-cancellation " * 8
    asked = f"SELECT '{long}' AS words, '2026-11-12 10:48:00' AS started_at, 7 AS n"
    shell("query", f"{asked} UNION ALL SELECT '[b]', '-', 8 ORDER BY n")
    lines = terminal.getvalue().splitlines()
    assert lines[:6] == [
        "row 1 of 2",
        "words       one-cancellation one-cancellation one-cancellation one-cancellation",
        "            one-cancellation one-cancellation one-cancellation one-cancellation",
        "started_at  2026-11-12 10:48:00",
        "n           7",
        "",
    ]
    assert lines[6:] == [
        "row 2 of 2",
        "words       [b]",
        "started_at  -",
        "n           8",
        "",
        "2 rows",
    ]


def test_every_table_of_a_command_is_cards_where_it_is_too_wide(terminal: io.StringIO) -> None:
    table = Table(title="The ledger")
    for heading in ("annotator", "precision"):
        table.add_column(heading, no_wrap=True)
    table.add_row("ann " * 20, "0.85\n0.70–0.90")
    common.print_rows(table)
    lines = terminal.getvalue().splitlines()
    assert lines[:2] == ["The ledger", "row 1 of 1"]
    assert lines[-2:] == ["precision  0.85 0.70–0.90", ""]
    assert max(map(len, lines)) <= 80
    printed = {
        path.name
        for path in Path(common.__file__).parent.glob("*.py")
        if "output().print(table" in path.read_text()
    }
    assert not printed


def test_a_piped_table_is_as_wide_as_it_gets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(common, "output", lambda: PlainConsole(width=80, force_terminal=False))
    table = Table("name", "words", box=None)
    table.add_row("x", "one " * 40)
    common.print_rows(table)
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_table_that_fits_is_a_table(shell: Any, terminal: io.StringIO) -> None:
    shell("query", "SELECT 'x' AS a, 2 AS b")
    assert [line.split() for line in terminal.getvalue().splitlines()][1:4:2] == [
        ["a", "b"],
        ["x", "2"],
    ]


def test_further_lines_of_a_list_are_indented(shell: Any, terminal: io.StringIO) -> None:
    shell("query", "--list")
    lines = terminal.getvalue().splitlines()
    names = {line for line in lines if line and not line.startswith(" ")}
    assert names <= {*named_queries(), *known_tables(), *(line for line in lines if ":" in line)}
    assert max(map(len, lines)) <= 80


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


#: Queries with these parameters.
ASKING = {
    "kind": "unanswered_cues",
    "cue": "customer_voice",
    "form": "scores_by_agent",
    "outcome": "outcomes_by_answered_rate",
    "subject": "disputes",
    "role": "phrase",
}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("agent=can",), "no call has the agent 'can'; did you mean cat?"),
        (("team=nosuch",), "no call has the team 'nosuch'"),
        (("kind=anger",), "no feeling is of the kind 'anger'; there are anger_frustration, conf"),
        (("cue=complint",), "no quote is of 'complint'"),
        (("form=quik",), "no evaluation is by the form 'quik'; there are conversation"),
        (("outcome=npss",), "no outcome is named 'npss'"),
        (("subject=cues",), "no review is of the subject 'cues'; did you mean cue?"),
        (("text=card", "role=agnt"), "no party has the role 'agnt'; did you mean agent?"),
        (("since=2026-11-12", "until=2026-11-11"), "no day lies between since=2026-11-12"),
    ],
)
def test_what_can_find_nothing_is_an_error(shell: Any, given: tuple[str, ...], said: str) -> None:
    words = [word for pair in given for word in ("-p", pair)]
    name = given[-1].partition("=")[0]
    refused = shell("query", ASKING.get(name, "answers_by_kind"), *words)
    assert refused.exit_code == 1
    assert said in str(refused.exception)


def test_a_search_that_can_find_nothing_is_an_error(shell: Any) -> None:
    turned = shell("search", "card", "--from", "2026-11-12", "--to", "2026-11-11")
    assert "--from 2026-11-12 is after --to 2026-11-11" in str(turned.exception)
    nobody = shell("search", "card", "--agent", "nosuch")
    assert "no call has the agent 'nosuch'" in str(nobody.exception)
    nothing = shell("search", "card", "--from", "2036-11-12")
    assert (nothing.exit_code, nothing.stderr) == (0, "nobody said that\n")


def test_a_file_that_is_no_warehouse_is_named_and_leaves_no_log(tmp_path: Path) -> None:
    table = tmp_path / "meta.csv"
    table.write_text("call_id,agent\n")
    refused = CliRunner().invoke(app, ["query", "calls", "--warehouse", str(table)])
    assert refused.exit_code == 1
    assert refused.stderr == (
        f"error: {table}: not a warehouse that can be opened (no DuckDB file)\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["meta.csv"]


@pytest.mark.parametrize("words", [("query", "calls"), ("query", "--list"), ("search", "card")])
def test_a_reader_that_goes_away_is_no_error(week: Path, words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "warmline", *words, "--warehouse", str(week)],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
