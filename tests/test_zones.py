"""Times are kept in UTC and shown in the zone that a person asks for, with its name."""

import csv
import json
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from support.factories import call
from support.once import Once
from support.warehouses import put
from warmline.cli import app
from warmline.cli.common import Zone

WINTER = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
SUMMER = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
BEGAN = "SELECT call_id, started_at FROM calls ORDER BY call_id"


def publish_times(tmp_path: Path) -> None:
    calls = [call("s", started_at=SUMMER), call("w", started_at=WINTER), call("x", started_at=None)]
    put(tmp_path, *calls)


@pytest.fixture
def folder(once: Once, tmp_path: Path) -> Path:
    return once.copied("zones", publish_times, tmp_path)


def run(folder: Path, *words: str) -> Any:
    done = CliRunner().invoke(app, [*words, "--warehouse", str(folder / "w.duckdb")])
    assert done.exit_code == 0, done.output
    return done


def test_a_table_says_whose_times_it_shows(folder: Path) -> None:
    kept = run(folder, "query", BEGAN).output
    assert "2026-01-31 23:30:00\n" in kept
    assert "3 rows; times in UTC" in kept
    shown = run(folder, "query", BEGAN, "--timezone", "Europe/Berlin").output
    assert "2026-02-01 00:30:00+01:00" in shown
    assert "2026-07-01 14:00:00+02:00" in shown, "summer time has its own offset"
    assert "3 rows; times in Europe/Berlin" in shown
    assert run(folder, "query", "SELECT 1 AS one").output.rstrip().endswith("\n1 row")


def test_a_machine_reads_the_same_moments(folder: Path) -> None:
    rows = json.loads(run(folder, "query", BEGAN, "--timezone", "Asia/Kolkata", "--json").stdout)
    moments = [row["started_at"] and datetime.fromisoformat(row["started_at"]) for row in rows]
    assert moments == [SUMMER, WINTER, None]
    assert rows[0]["started_at"] == "2026-07-01 17:30:00+05:30"
    text = run(folder, "query", BEGAN, "--timezone", "Asia/Kolkata", "--csv").stdout
    assert [row["started_at"] for row in csv.DictReader(text.splitlines())][1].endswith("+05:30")
    assert "2026-01-31 23:30:00\n" in run(folder, "query", BEGAN, "--csv").stdout


def test_settings_say_it_for_all_and_the_option_counts_more(folder: Path) -> None:
    (folder / "w.toml").write_text('[display]\ntimezone = "Europe/Berlin"\n')
    mine = ("--settings", str(folder / "w.toml"))
    assert "2026-07-01 14:00 CEST" in run(folder, "show", "s", *mine).stdout
    assert "2026-07-01 12:00 UTC" in run(folder, "show", "s", *mine, "--timezone", "UTC").stdout
    assert "2026-07-01 12:00 UTC" in run(folder, "show", "s").stdout
    assert "2026-07-01 14:00 CEST" in run(folder, "search", "card", *mine).stdout
    page = json.loads(run(folder, "show", "s", *mine, "--json").stdout)
    assert page["call"]["started_at"] == "2026-07-01 14:00:00+02:00"


def test_a_spreadsheet_names_the_zone_also_where_it_is_utc(folder: Path) -> None:
    out = folder / "out.xlsx"
    run(folder, "export", "--query", BEGAN, "--format", "xlsx", "--to", str(out))
    with zipfile.ZipFile(out) as book:
        assert b"started_at (UTC)" in book.read("xl/sharedStrings.xml")


@pytest.mark.parametrize("format_", ["csv", "parquet", "xlsx"])
def test_files_hold_the_zone_of_their_times(folder: Path, format_: str) -> None:
    out = folder / f"out.{format_}"
    asked = ("export", "--query", BEGAN, "--format", format_, "--to", str(out))
    run(folder, *asked, "--timezone", "Europe/Berlin")
    if format_ == "csv":
        assert "2026-02-01 00:30:00+01:00" in out.read_text()
    elif format_ == "parquet":
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            found = con.execute(f"SELECT epoch(started_at) FROM '{out}'").fetchall()
        assert [at for (at,) in found] == [SUMMER.timestamp(), WINTER.timestamp(), None]
    else:
        with zipfile.ZipFile(out) as book:
            assert b"started_at (Europe/Berlin)" in book.read("xl/sharedStrings.xml")


def test_a_zone_that_is_none_is_named(folder: Path) -> None:
    words = ["query", BEGAN, "--warehouse", str(folder / "w.duckdb"), "--timezone", "Berlin"]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 1
    assert "--timezone Berlin: not a time zone known on this machine" in refused.stderr
    (folder / "w.toml").write_text('[display]\ntimezone = "Berlin"\n')
    refused = CliRunner().invoke(app, [*words[:4], "--settings", str(folder / "w.toml")])
    assert "display.timezone" in refused.stderr


def test_local_is_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert Zone("local").minute(datetime(2026, 7, 1, 12, 0)) == "2026-07-01 08:00 EDT"
    finally:
        monkeypatch.undo()
        time.tzset()
