"""Who looked at what is noted, without a word of it, and forgotten with the call."""

import hashlib
import os
import pwd
import resource
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from support.factories import definitions_of
from support.marked import MARKS, fill, marked
from support.once import Once
from warmline import landing
from warmline.cli import app
from warmline.errors import WarehouseError
from warmline.landing import Selection
from warmline.warehouse.access_log import (
    access_log,
    accesses,
    forget_calls_but,
    note_access,
)
from warmline.warehouse.publishing import publish


@pytest.fixture
def place(once: Once, tmp_path: Path) -> Path:
    return once.copied("marked", fill, tmp_path)


def warmline(place: Path, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--warehouse", str(place / "w.duckdb")])
    assert done.exit_code == 0, done.output
    return done.stderr


def test_every_look_at_the_words_of_calls_is_noted(place: Path) -> None:
    sql = f"SELECT text FROM turns WHERE text LIKE '%{MARKS[0]}%'"
    begun = datetime.now(UTC).replace(microsecond=0)
    warmline(place, "show", "c1")
    warmline(place, "query", "phrase", "--param", f"text={MARKS[0]}")
    warmline(place, "query", sql, "--csv")
    warmline(place, "search", MARKS[0])
    warmline(place, "export", "c2", "--format", "json", "--to", str(place / "out"))
    table = ("--format", "csv", "--to", str(place / "out" / "t.csv"))
    warmline(place, "export", "--query", "turns", *table)
    noted = accesses(place / "w.duckdb")
    assert [(n["command"], n.get("calls"), n.get("query"), n.get("rows")) for n in noted] == [
        ("show", ["c1"], None, None),
        ("query", None, "phrase", 1),
        ("query", None, None, 1),
        ("search", ["c1"], None, 1),
        ("export json", ["c2"], None, None),
        ("export csv", None, "turns", 3),
    ]
    assert len(noted[2]["sql_sha256"]) == 64
    assert {n["user"] for n in noted} == {pwd.getpwuid(os.getuid()).pw_name}
    assert all(begun <= datetime.fromisoformat(n["at"]) for n in noted)
    text = access_log(place / "w.duckdb").read_text()
    assert not any(mark in text for mark in MARKS)
    assert access_log(place / "w.duckdb").stat().st_mode & 0o777 == 0o600


def test_a_query_that_fails_is_noted_as_well(place: Path) -> None:
    """Its error may quote what somebody said."""
    sql = "SELECT text::INTEGER FROM turns"
    failed = CliRunner().invoke(app, ["query", sql, "--warehouse", str(place / "w.duckdb")])
    assert failed.exit_code == 1
    (noted,) = accesses(place / "w.duckdb")
    assert noted["sql_sha256"] == hashlib.sha256(sql.encode()).hexdigest()
    assert "rows" not in noted


def test_what_shows_no_words_is_not_noted(place: Path) -> None:
    warmline(place, "check")
    assert accesses(place / "w.duckdb") == ()


def test_a_call_that_is_forgotten_goes_from_the_log_too(place: Path) -> None:
    warehouse = place / "w.duckdb"
    note_access(warehouse, "show", calls=["c1"])
    note_access(warehouse, "export json", calls=["c2", "c1"])
    note_access(warehouse, "query", query="disputes")
    landing.erase(place / "w.landing", Selection(calls=frozenset({"c1"})))
    publish(place / "w.landing", warehouse, definitions_of(marked()), from_nothing=True)
    assert [(n["command"], n.get("calls")) for n in accesses(warehouse)] == [
        ("show", [None]),
        ("export json", [None, "c2"]),
        ("query", None),
    ]
    assert b'"c1"' not in access_log(warehouse).read_bytes()
    assert access_log(warehouse).stat().st_mode & 0o777 == 0o600


def test_lines_of_many_at_once_are_whole_also_while_calls_are_forgotten(place: Path) -> None:
    warehouse = place / "w.duckdb"

    def look(number: int) -> None:
        note_access(warehouse, "show", calls=[f"gone-{number}"])
        if number % 10 == 0:
            forget_calls_but(warehouse, {"c2"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(60)))
    assert len(accesses(warehouse)) == 60


def test_a_log_that_cannot_be_written_is_said_and_stops_nobody(place: Path) -> None:
    access_log(place / "w.duckdb").mkdir()
    said = warmline(place, "query", "SELECT 1", "--json")
    assert "cannot note who looked" in said.replace("\n", "")


def test_a_line_that_was_cut_short_spoils_no_other_and_stops_no_publishing(place: Path) -> None:
    """As a power cut leaves it; a full disk leaves none."""
    warehouse = place / "w.duckdb"
    note_access(warehouse, "show", calls=["c1"])
    with access_log(warehouse).open("ab") as log:
        log.write(b'{"at": "2026-11-20T02:00:00+00:00", "calls": ["c1", "')
    note_access(warehouse, "show", calls=["c2"])
    told = [n.get("calls", n) for n in accesses(warehouse)]
    assert told == [["c1"], {"unreadable": True}, ["c2"]]
    landing.erase(place / "w.landing", Selection(calls=frozenset({"c1"})))
    publish(place / "w.landing", warehouse, definitions_of(marked()), from_nothing=True)
    assert [n.get("calls", n) for n in accesses(warehouse)] == [
        [None],
        {"unreadable": True},
        ["c2"],
    ]
    assert b"c1" not in access_log(warehouse).read_bytes()
    size = access_log(warehouse).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
    try:
        with pytest.raises(WarehouseError, match="cannot note who looked"):
            note_access(warehouse, "show", calls=["c2"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert access_log(warehouse).stat().st_size == size
