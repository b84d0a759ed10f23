"""What a question may not do, and what it is told."""

import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from support.week import WEEK
from warmline.errors import QueryError, WarehouseError
from warmline.query.questions import QueryResult, ask, ask_named


@pytest.mark.parametrize(
    "sql",
    [
        "COPY calls TO '{file}'",
        "COPY (SELECT 1) TO '{file}'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}'",
        "EXPORT DATABASE '{file}'",
        "ATTACH '{file}'",
        "CREATE TABLE t AS SELECT 1",
        "CREATE TEMP TABLE t AS SELECT 1",
        "INSERT INTO calls SELECT * FROM calls",
        "DELETE FROM calls",
        "UPDATE calls SET path = ''",
        "DROP TABLE calls",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "CHECKPOINT",
        "SELECT 1; DROP TABLE calls",
        "SELECT * FROM read_csv('{own}')",
        "SELECT * FROM read_text('{own}')",
        "SELECT * FROM read_parquet('{own}')",
        "SELECT * FROM '{own}'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM sniff_csv('{own}')",
        "SELECT * FROM secret_rows",
        "SELECT getenv('HOME')",
    ],
)
def test_what_writes_or_reads_files_is_refused_in_one_line(
    week: Path, tmp_path: Path, sql: str
) -> None:
    secret_rows = [(1,)]  # a Python variable is no table, either
    target = tmp_path / "out"
    before = week.read_bytes()
    with pytest.raises(QueryError) as refused:
        ask(week, sql.format(file=target, own=__file__))
    assert "\n" not in str(refused.value)
    assert not target.exists()
    assert week.read_bytes() == before
    assert secret_rows


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT agnt_id FROM calls", r'"agnt_id" not found.*"agent_id"'),
        ("SELECT * FROM cals", r"cals does not exist.*calls"),
        ("SELCT 1", r'syntax error at or near "SELCT"'),
        ("SELECT $a", r"parameter \$a has no value"),
        ("", r"one statement at a time; this has 0"),
        ("SELECT 1; SELECT 2", r"one statement at a time; this has 2"),
        ("SELECT 'x'::INTEGER", r"Could not convert string 'x'"),
    ],
)
def test_a_wrong_query_is_explained_in_one_line(week: Path, sql: str, said: str) -> None:
    with pytest.raises(QueryError, match=said) as wrong:
        ask(week, sql)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        (
            "unanswered_cus",
            {},
            "no query, table or view is named 'unanswered_cus'; did you mean unanswered_cues",
        ),
        ("phrase", {}, "phrase: parameter text must be given: the phrase"),
        ("phrase", {"txt": "x"}, r"no parameter 'txt'; did you mean text\? \(it has text, role"),
        ("phrase", {"text": "x", "since": "soon"}, "since = 'soon' is not a DATE"),
        ("phrase", {"text": ["x"]}, "parameter text: a list cannot be a parameter"),
    ],
)
def test_a_wrong_name_or_parameter_is_explained(
    week: Path, name: str, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        ask_named(week, name, parameters)


def test_parameters_are_values_and_never_sql(week: Path) -> None:
    odd = "x'); DROP TABLE calls; --"
    values = {"a": odd, "b": None, "c": 1, "d": 1.5, "e": date(2026, 1, 2), "f": True}
    answer = ask(week, "SELECT $a, $b, $c, $d, $e, $f", values)
    assert answer.rows == ((odd, None, 1, 1.5, date(2026, 1, 2), True),)
    moment_given = datetime(2026, 1, 2, 3, 4, 5, 600)
    assert ask(week, "SELECT $t", {"t": moment_given}).rows == ((moment_given,),)
    with pytest.raises(QueryError, match=r"no parameter \$b in the query"):
        ask(week, "SELECT $a", {"a": 1, "b": 2})


def test_a_process_that_has_the_warehouse_open_can_ask_more_than_once(week: Path) -> None:
    with duckdb.connect(str(week), read_only=True) as own:
        for _ in range(2):
            assert ask(week, "SELECT 1").rows == ((1,),)
            with pytest.raises(QueryError):
                ask(week, f"SELECT * FROM read_text('{__file__}')")
        assert own.execute("SELECT count(*) FROM calls").fetchone() == (len(WEEK),)


def test_an_answer_is_cut_at_the_limit_and_says_so(week: Path) -> None:
    answer = ask(week, "SELECT range AS i FROM range(10)", limit=3)
    assert answer == QueryResult(("i",), ("BIGINT",), ((0,), (1,), (2,)), True)
    assert not ask(week, "SELECT 1", limit=1).truncated


def test_a_question_that_takes_too_long_is_stopped(week: Path) -> None:
    with pytest.raises(QueryError, match=r"more than 0\.2 s and was stopped"):
        ask(
            week,
            "SELECT count(*) FROM range(1000000000) AS a, range(1000000000) AS b",
            timeout_s=0.2,
        )


def test_a_missing_warehouse_is_named(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match=r"none\.duckdb: no warehouse here"):
        ask(tmp_path / "none.duckdb", "SELECT 1")


def test_a_question_loads_nothing_heavy(week: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from warmline.query.questions import ask_named; "
        f"ask_named(Path({str(week)!r}), 'phrase', {{'text': 'card', 'n': 5}}); "
        "print([m for m in ('duckdb', 'numpy', 'pandas', 'pyarrow', 'torch', 'prefect') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
