"""A real night in Prefect: somebody is told of it, and after `forget` nothing knows the call."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from warmline import landing
from warmline.errors import WarehouseError
from warmline.files import folder
from warmline.privacy.erasing import forget_names, forget_runs, prefect_home

MARK = "quillwort"  # in the names of a recording and of its customer
# A busy machine takes longer than 20 s to start a server.
PATIENT = {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "300"}
BLOCK = """
from prefect.blocks.notifications import CustomWebhookNotificationBlock
CustomWebhookNotificationBlock(
    name="told", url={url!r}, json_data={{"subject": "{{{{subject}}}}", "body": "{{{{body}}}}"}}
).save("told", overwrite=True)
"""


@contextmanager
def somebody() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server on this machine, and what it was told."""
    told: list[dict[str, str]] = []

    class _Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), _Ear)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", told
    finally:
        server.shutdown()
        server.server_close()


def python(*arguments: object, home: Path) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**clean, "PREFECT_HOME": str(home), "DO_NOT_TRACK": "1", **PATIENT},
        timeout=500,
        check=False,
    )


def holding(folder: Path) -> set[Path]:
    """Files in which the mark is, in their name or in any byte."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {p for p in files if MARK in p.name or MARK.encode() in p.read_bytes()}


def tables(home: Path) -> dict[str, int]:
    with sqlite3.connect(home / "prefect.db") as db:
        names = ("flow_run", "task_run", "log", "artifact", "events", "block_document")
        return {n: db.execute(f"SELECT count(*) FROM {n}").fetchone()[0] for n in names}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_night_tells_somebody_and_is_forgotten_with_its_calls(tmp_path: Path) -> None:
    home, calls, place = tmp_path / "prefect", tmp_path / "calls", tmp_path / "kept"
    calls.mkdir()
    (calls / f"{MARK}.wav").touch()
    (calls / f"{MARK}.json").write_text(json.dumps({"customer_id": MARK}))
    damaged = place / "w.landing" / "analyses" / "aa" / f"{'a' * 64}.parquet"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"PAR1 damaged PAR1")
    (tmp_path / "w.toml").write_text('[night]\nnotify = "custom-webhook/told"\njobs = 1\n')
    places = ("--warehouse", place / "w.duckdb", "--settings", tmp_path / "w.toml")
    with somebody() as (url, told):
        saved = python("-c", BLOCK.format(url=url), home=home)
        assert saved.returncode == 0, saved.stderr
        run = python("-m", "warmline", "nightly", calls, "--once", *places, home=home)
    assert run.returncode == 4, run.stderr
    assert len(told) == 1, run.stderr
    assert told[0]["subject"].startswith("Night of 20")
    assert "landing files that are damaged: 1" in told[0]["body"]
    assert MARK not in json.dumps(told)

    assert holding(home) and holding(place)
    damaged.unlink()
    forget = ("-m", "warmline", "forget", "--customer", MARK, "--yes", *places)
    done = python(*forget, home=home)
    assert done.returncode == 0, done.stderr
    assert holding(home) == set() and holding(place) == set()
    left = tables(home)
    assert left.pop("block_document") == 1
    assert left.pop("flow_run") == 1  # it ran; not on what
    assert not any(count for name, count in left.items() if name != "events"), left
    again = python("-m", "warmline", "nightly", calls, "--once", *places, home=home)
    assert again.returncode == 0, again.stderr
    assert {path.parent.name for path in holding(place)} == set()


FLOW = f"""
import sys
sys.path.insert(0, {str(folder("flows"))!r})
from analyze_calls import analyze_calls, prefect_api
from prefect import flow

@flow(name="of somebody else")
def theirs() -> None:
    pass

with prefect_api():
    if sys.argv[3:]:
        theirs()
    analyze_calls([sys.argv[1]], warehouse=sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_schedule_that_serves_for_months_forgets_as_it_goes(tmp_path: Path) -> None:
    """By the flow itself, as a deployment or a schedule starts it, with its server at work."""
    home, calls = tmp_path / "prefect", tmp_path / "calls"
    calls.mkdir()
    (calls / f"{MARK}.wav").touch()
    first = python("-c", FLOW, calls, tmp_path / "w.duckdb", "and theirs", home=home)
    assert first.returncode == 0, first.stderr
    with sqlite3.connect(home / "prefect.db") as db:
        db.execute("UPDATE flow_run SET end_time = '2020-01-01 00:00:00+00:00'")
    assert tables(home)["flow_run"] == 2 and tables(home)["task_run"] == 4
    again = python("-c", FLOW, calls, tmp_path / "w.duckdb", home=home)
    assert again.returncode == 0, again.stderr
    assert "not forgotten" not in again.stderr
    with sqlite3.connect(home / "prefect.db") as db:
        kept = db.execute(
            "SELECT flow.name, count(*) FROM flow_run JOIN flow ON flow.id = flow_id GROUP BY 1"
        ).fetchall()
    assert dict(kept) == {"analyze-calls": 1, "of somebody else": 1}
    assert tables(home)["task_run"] == 3  # the second night had nothing to analyze
    assert holding(home) == set()


def a_database(home: Path, *ended: str) -> None:
    """Prefect's tables, as far as they are used, with a night for each end, and a planned one."""
    home.mkdir()
    with sqlite3.connect(home / "prefect.db") as db:
        db.executescript(
            "CREATE TABLE flow (id, name); CREATE TABLE flow_run (id, flow_id, state_type, "
            "end_time, updated, parameters, context); CREATE TABLE events (id, resource_id);"
            "CREATE TABLE event_resources (event_id); CREATE TABLE task_run (id, flow_run_id);"
            "CREATE TABLE task_run_state (task_run_id); CREATE TABLE flow_run_state (flow_run_id, "
            "message, data);"
            + "".join(
                f"CREATE TABLE {name} (flow_run_id, message);"
                for name in ("log", "artifact", "artifact_collection", "flow_run_input")
            )
            + "INSERT INTO flow VALUES ('f', 'analyze-calls'), ('g', 'of somebody else');"
            "INSERT INTO flow_run VALUES ('planned', 'f', 'SCHEDULED', NULL, '2020-01-01', '', ''),"
            "('other', 'g', 'COMPLETED', '2020-01-01', '2020-01-01', '', '');"
        )
        for i, end in enumerate(ended):
            db.execute(
                "INSERT INTO flow_run VALUES (?, 'f', 'COMPLETED', ?, ?, ?, '')",
                (i, end, end, MARK),
            )
            db.execute("INSERT INTO flow_run_state VALUES (?, ?, '')", (i, f"{MARK}: it failed"))
            db.execute("INSERT INTO task_run VALUES (?, ?)", (f"t{i}", i))
            db.execute("INSERT INTO task_run_state VALUES (?)", (f"t{i}",))
            db.execute("INSERT INTO log VALUES (?, ?)", (i, f"{MARK}{i}: failed"))
            db.execute("INSERT INTO events VALUES (?, ?)", (f"e{i}", f"prefect.task-run.t{i}"))
            db.execute("INSERT INTO event_resources VALUES (?)", (f"e{i}",))


def test_nights_are_kept_for_a_time_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    a_database(home, "2020-01-01 00:00:00+00:00", "2999-01-01 00:00:00+00:00")
    assert forget_runs(home, 90) == 1
    content = (home / "prefect.db").read_bytes()
    assert f"{MARK}0".encode() not in content and f"{MARK}1".encode() in content
    assert forget_runs(home, 90) == 0


def test_of_many_nights_the_oldest_go_first(tmp_path: Path) -> None:
    home = tmp_path / "home"
    a_database(home, *(f"2020-01-0{day} 00:00:00+00:00" for day in (3, 1, 4, 2)))
    assert forget_runs(home, 90, at_most=3) == 3
    assert runs(home) == ["2", "other", "planned"]
    assert forget_runs(home, 90, at_most=3) == 1
    assert forget_runs(home, 90, at_most=3) == 0
    assert runs(home) == ["other", "planned"]


def test_that_a_night_was_stays_when_its_calls_are_forgotten(tmp_path: Path) -> None:
    home = tmp_path / "home"
    a_database(home, "2020-01-01 00:00:00+00:00", "2999-01-01 00:00:00+00:00")
    assert holding(home)
    assert forget_names(home) == 2
    assert holding(home) == set()
    assert runs(home) == ["0", "1", "other", "planned"]
    with sqlite3.connect(home / "prefect.db") as db:
        for table in ("task_run", "task_run_state", "log", "events", "event_resources"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def runs(home: Path) -> list[str]:
    with sqlite3.connect(home / "prefect.db") as db:
        return sorted(str(found) for (found,) in db.execute("SELECT id FROM flow_run"))


def test_where_nothing_was_kept_there_is_nothing_to_forget(tmp_path: Path, monkeypatch) -> None:
    assert forget_runs(tmp_path / "none", 90) == forget_names(tmp_path / "none") == 0
    (tmp_path / "prefect.db").touch()
    assert forget_runs(tmp_path, 90) == forget_names(tmp_path) == 0
    (tmp_path / "prefect.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(WarehouseError, match=r"prefect\.db: cannot erase the records of nights"):
        forget_names(tmp_path)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    assert prefect_home() == tmp_path
    assert landing.forgotten_keys(tmp_path) == frozenset()
