"""Answers as files for other people: what was said stays text, and types stay what they are."""

import csv
import re
import tomllib
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from support.factories import call, definitions_of
from warmline import landing
from warmline.cli import app
from warmline.database import open_for_reading
from warmline.errors import QueryError
from warmline.files import folder, safe_cell
from warmline.query import export
from warmline.query.export import Glossary, write_table
from warmline.query.questions import QueryResult, ask, column_meanings, named_queries
from warmline.warehouse.publishing import publish
from warmline.warehouse.tables import COLUMN_COMMENTS, meanings_among

EVIL = "=cmd|' /C calc'!A1"
ANSWER = QueryResult(
    ("said", "n", "at", "day", "sure", "times", "none"),
    ("VARCHAR", "BIGINT", "TIMESTAMP", "DATE", "BOOLEAN", "DOUBLE[]", "VARCHAR"),
    (
        (EVIL, -1, datetime(2026, 11, 16, 9, 30), date(2026, 11, 16), True, [1.5, 2.0], None),
        ("http://x", None, None, None, None, None, None),
    ),
    False,
)


def test_csv_is_safe_in_a_spreadsheet(tmp_path: Path) -> None:
    path = write_table(ANSWER, tmp_path / "deep" / "a.csv", "csv")
    with path.open(newline="") as file:
        heading, first, second = csv.reader(file)
    assert heading == list(ANSWER.columns)
    assert first == [f"'{EVIL}", "-1", "2026-11-16 09:30:00", "2026-11-16", "True", "1.5, 2.0", ""]
    assert second == ["http://x", *[""] * 6]
    assert [p.name for p in path.parent.iterdir()] == ["a.csv"]


def test_parquet_keeps_types_and_nothing_is_nothing(tmp_path: Path) -> None:
    table = pq.read_table(write_table(ANSWER, tmp_path / "a.parquet", "parquet"))
    assert table.to_pylist()[0] == dict(zip(ANSWER.columns, ANSWER.rows[0], strict=True))
    assert table.schema.field("none").type == pa.string()
    empty = QueryResult(("a", "b"), ("DOUBLE", "VARCHAR"), (), False)
    assert pq.read_table(write_table(empty, tmp_path / "e.parquet", "parquet")).num_rows == 0


def sheet_of(path: Path) -> list[tuple[str, str, str]]:
    """Place, kind and value of each cell, read without the library that wrote them."""
    ns = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(path) as book:
        texts = [
            "".join(t.itertext())
            for t in ElementTree.fromstring(book.read("xl/sharedStrings.xml")).findall("x:si", ns)
        ]
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    assert not sheet.findall(".//x:f", ns), "a formula"
    assert not sheet.findall(".//x:hyperlink", ns)
    cells = []
    for cell in sheet.findall(".//x:c", ns):
        value = cell.findtext("x:v", "", ns)
        kind = cell.get("t", "n")
        cells.append((cell.get("r", ""), kind, texts[int(value)] if kind == "s" else value))
    return cells


def test_a_sheet_holds_no_formula_and_no_link(tmp_path: Path) -> None:
    cells = sheet_of(write_table(ANSWER, tmp_path / "a.xlsx", "xlsx"))
    assert cells[7:] == [
        ("A2", "s", EVIL),
        ("B2", "n", "-1"),
        ("C2", "n", "46342.39583333334"),  # days since 1899-12-30
        ("D2", "n", "46342"),
        ("E2", "b", "1"),
        ("F2", "s", "1.5, 2.0"),
        ("A3", "s", "http://x"),
    ]


def test_a_sheet_can_be_read_as_it_is_opened(tmp_path: Path) -> None:
    answer = QueryResult(
        ("call_id", "at", "rate", "cues"),
        ("VARCHAR", "TIMESTAMP", "DOUBLE", "DOUBLE"),
        (("c" * 30, datetime(2026, 11, 16, 9, 30), 0.5957161981258365, 5.0),),
        False,
    )
    path = tmp_path / "a.xlsx"
    glossary = Glossary({"question": "calls"}, {"rate": "Answered over answerable."})
    write_table(answer, path, "xlsx", glossary)
    ns = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(path) as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        styles = ElementTree.fromstring(book.read("xl/styles.xml"))
        notes = ElementTree.fromstring(book.read("xl/comments1.xml"))
        texts = book.read("xl/sharedStrings.xml").decode()
        assert b'name="glossary"' in book.read("xl/workbook.xml")
    widths = [float(column.get("width", 0)) for column in sheet.findall("x:cols/x:col", ns)]
    assert widths[0] > 30 and widths[1] > len("2026-11-16 09:30:00")
    (filtered,) = sheet.findall("x:autoFilter", ns)
    assert filtered.get("ref") == "A1:D2"
    own = {f.get("numFmtId"): f.get("formatCode") for f in styles.findall("x:numFmts/x:numFmt", ns)}
    numbers = [f.get("numFmtId") for f in styles.findall("x:cellXfs/x:xf", ns)]
    shown = [numbers[int(c.get("s", "0"))] for c in sheet.findall(".//x:row[@r='2']/x:c", ns)]
    assert own[shown[1]] == "yyyy-mm-dd hh:mm:ss"
    assert own[shown[2]] == "0.000"
    assert shown[3] == "1", "a count has no decimals"
    (note,) = notes.findall(".//x:comment", ns)
    assert (note.get("ref"), "".join(note.itertext())) == ("C1", "Answered over answerable.")
    assert "Answered over answerable." in texts and "<t>question</t>" in texts


def test_a_number_that_a_sheet_cannot_hold_is_text(tmp_path: Path) -> None:
    answer = QueryResult(("n",), ("DOUBLE",), ((float("inf"),), (2.0,)), False)
    cells = sheet_of(write_table(answer, tmp_path / "a.xlsx", "xlsx"))
    assert cells[1:] == [("A2", "s", "inf"), ("A3", "n", "2")]


def test_the_command_explains_its_columns_and_says_what_it_replaces(
    warehouse: Path, tmp_path: Path
) -> None:
    to = tmp_path / "out.xlsx"
    asked = ("-f", "xlsx", "--query", "call_summary", "--to", str(to))
    first = shell(warehouse, *asked)
    assert (first.exit_code, first.stderr) == (0, "")
    with zipfile.ZipFile(to) as book:
        sheet = book.read("xl/comments1.xml").decode()
    columns = ask(warehouse, "FROM call_summary").columns
    assert sheet.count("<comment ") == len(columns), "a note for each heading"
    again = shell(warehouse, *asked)
    assert again.stdout == f"{to}\n"
    assert again.stderr == f"{to}: replaced the file that was there\n"


def test_columns_mean_what_the_question_says_of_them(warehouse: Path) -> None:
    found = column_meanings(warehouse, "calls_to_listen_to", ("alike", "answered", "nothing"))
    assert found["alike"] == "how many calls have the very same counts"
    assert "nothing" not in found
    assert (
        found["answered"] == column_meanings(warehouse, "call_summary", ("answered",))["answered"]
    )


def test_every_column_of_a_named_query_has_a_meaning(week: Path) -> None:
    used: set[tuple[str, str]] = set()
    found: dict[str, dict[str, str]] = {}
    with open_for_reading(week) as con:
        comments = con.execute(COLUMN_COMMENTS).fetchall()
        for name, query in named_queries().items():
            bound = query.sql
            for parameter in query.parameters:
                bound = re.sub(rf"\${parameter.name}\b", f"(NULL::{parameter.type})", bound)
            columns = [row[0] for row in con.execute(f"DESCRIBE {bound}").fetchall()]
            found[name] = meanings_among(comments, name, columns)
            missing = set(columns) - set(found[name])
            assert not missing, f"{name}: say in warehouse/queries/columns.toml what these mean"
            used.update((name, column) for column in columns)
            if "path" in columns and name != "disputes":  # which is of what people said
                asked = {parameter.name for parameter in query.parameters}
                assert "is_simulated" in columns or "simulated" in asked, name
    told = found["redactions_by_kind"]["kind"], found["left_after_a_call"]["answered"]
    assert told[0].startswith("What it is: card"), "not the middle of a sentence"
    assert told[1].startswith("Cues that were answered"), "of the view that it is from"
    written = tomllib.loads((folder("warehouse") / "queries" / "columns.toml").read_text())
    of_queries = {q: t for q, t in written.items() if not isinstance(t, str)}
    assert {(q, c) for q, texts in of_queries.items() for c in texts} <= used
    unused = written.keys() - of_queries.keys() - {column for _, column in used}
    assert not unused, "no query has these"


def test_more_than_a_sheet_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_ROWS_IN_SHEET", 1)
    with pytest.raises(QueryError, match="a sheet holds 1 rows, this has 2"):
        write_table(ANSWER, tmp_path / "a.xlsx", "xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(QueryError, match=r"a\.csv: cannot write the table"):
        write_table(ANSWER, tmp_path / "file" / "a.csv", "csv")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("w")
    analysis = call("=c-1", started_at=datetime(2026, 11, 16, 9, tzinfo=UTC), agent_id="ann")
    landing.write(analysis, folder / "landing")
    publish(folder / "landing", folder / "w.duckdb", definitions_of([analysis]))
    return folder / "w.duckdb"


def shell(warehouse: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["export", *words, "--warehouse", str(warehouse)])


@pytest.mark.parametrize(
    "words",
    [
        ("--query", "call_summary"),
        ("--query", "phrase", "-p", "text=card"),
        ("--query", "SELECT call_id FROM calls WHERE agent_id = $who", "-p", "who=ann"),
    ],
)
def test_the_command_writes_views_named_queries_and_selects(
    warehouse: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    to = tmp_path / "out.csv"
    done = shell(warehouse, "-f", "csv", *words, "--to", str(to))
    assert done.exit_code == 0, done.output
    with to.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["call_id"] == "'=c-1"


def test_the_command_says_what_does_not_go_together(warehouse: Path, tmp_path: Path) -> None:
    assert shell(warehouse, "-f", "csv", "--to", str(tmp_path / "x")).exit_code == 2
    assert shell(warehouse, "--query", "calls", "--to", str(tmp_path / "x")).exit_code == 2
    assert shell(warehouse, "-f", "csv", "--query", "calls", "--to", str(tmp_path)).exit_code == 2
    bad = ("-f", "csv", "--query", "COPY calls TO 'x'", "--to", str(tmp_path / "x"))
    assert isinstance(shell(warehouse, *bad).exception, QueryError | SystemExit)
    assert list(tmp_path.iterdir()) == []
    cut = ("-f", "csv", "--query", "SELECT range FROM range(3)", "--limit", "2")
    assert "only the first 2 rows" in shell(warehouse, *cut, "--to", str(tmp_path / "y")).output


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\n=1+1", "'\n'=1+1"),
        ("\t=1+1", "'\t'=1+1"),
        ("hello\n=1+1", "hello\n'=1+1"),
        ("hello\r\n+1", "hello\r\n'+1"),
        ("a;=1+1", "a;'=1+1"),
        ("a; -1", "a;' -1"),
        ("＝1+1", "'＝1+1"),
        ("a;＋1", "a;'＋1"),
        ("﹣1", "'﹣1"),
        (" =1+1", "' =1+1"),
        ("\u200b=1+1", "'\u200b=1+1"),
        ("\ufeff=1+1", "'\ufeff=1+1"),
        ("so, -1 and 1-1=0; fine\nyes", "so, -1 and 1-1=0; fine\nyes"),
        ("", ""),
    ],
)
def test_a_formula_is_kept_a_text_wherever_a_cell_could_begin(said: str, kept: str) -> None:
    assert safe_cell(said) == kept
    assert safe_cell(-1.5) == -1.5


def test_names_of_columns_are_cells_too(tmp_path: Path) -> None:
    answer = QueryResult(("=1+1",), ("VARCHAR",), (("x",),), False)
    page = write_table(answer, tmp_path / "a.csv", "csv").read_text(encoding="utf-8")
    assert page == "'=1+1\nx\n"


def test_a_cell_that_looks_like_a_formula_stays_a_text_when_it_is_edited(tmp_path: Path) -> None:
    answer = QueryResult(("a", "b"), ("VARCHAR",) * 2, (("a;=1+1", "x"),), False)
    path = write_table(answer, tmp_path / "a.xlsx", "xlsx")
    ns = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(path) as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
        styles = ElementTree.fromstring(book.read("xl/styles.xml"))
    formats = styles.findall("x:cellXfs/x:xf", ns)
    marked = {
        cell.get("r"): formats[int(cell.get("s", "0"))].get("quotePrefix")
        for cell in sheet.findall(".//x:c", ns)
    }
    assert (marked["A2"], marked["B2"]) == ("1", None)
