"""The night as Prefect runs it: on its own, offline, with a report that quotes nobody."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest
import yaml

from support.prefect_nights import nightly
from support.samples import cut
from warmline.files import exclusive, folder
from warmline.query.questions import ask
from warmline.settings import NightSettings

ALARM = 4  # where all calls are refused
SETTINGS = '[words]\nwhisper_model = "tiny.en"\nlanguage = "en"\n[night]\njobs = 1\n'


def night(*arguments: object, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return nightly(*arguments, env=env, cwd=Path.cwd())


@pytest.mark.models
@pytest.mark.timeout(900)
def test_one_night_analyzes_publishes_and_reports(tmp_path, engines, prefect_server):
    calls = tmp_path / "calls"
    calls.mkdir()
    cut("missed-connection", calls / "missed-connection.wav", 12.0)
    (calls / "empty.wav").touch()
    (tmp_path / "tiny.toml").write_text(SETTINGS)
    places = ("--warehouse", tmp_path / "w.duckdb", "--settings", tmp_path / "tiny.toml")

    run = night(calls, "--once", *places, env=prefect_server)
    assert run.returncode == 0, run.stderr
    assert "1 analyzed, 1 refused" in run.stdout
    rows = ask(tmp_path / "w.duckdb", "SELECT status, path FROM call_summary ORDER BY status").rows
    assert [status for status, _ in rows] == ["analyzed", "refused"]

    report = next((tmp_path / "reports").glob("w-*T*Z.md")).read_text()
    assert "| analyzed | 1 |" in report
    assert "| refused | empty_file | 1 |" in report
    assert _reports(Path(prefect_server["PREFECT_HOME"])).count(report) == 1
    health = json.loads((tmp_path / "reports" / "w-health.json").read_text())
    assert (health["state"], health["last_run"]["calls"]["analyzed"]) == ("done", 1)
    turns = ask(tmp_path / "w.duckdb", "SELECT text FROM turns WHERE word_count > 3").rows
    assert turns
    for (text,) in turns:
        assert text not in report
        assert text not in run.stdout + run.stderr

    again = night(calls, "--once", *places, env=prefect_server)
    assert again.returncode == 0, again.stderr
    assert "nothing to be done; 2 done before" in again.stdout


@pytest.mark.timeout(600)
def test_what_was_published_is_packed_and_nothing_is_lost(tmp_path, prefect_server):
    (tmp_path / "calls").mkdir()
    for name in ("empty.wav", "too.wav", "three.wav"):
        (tmp_path / "calls" / name).touch()
    landing = tmp_path / "w.landing"
    places = ("--warehouse", tmp_path / "w.duckdb", "--once")
    assert night(tmp_path / "calls", *places, env=prefect_server).returncode == ALARM
    (pack,) = landing.rglob("*.parquet")
    assert pack.relative_to(landing).parts[0] == "packs"
    again = night(tmp_path / "calls", *places, env=prefect_server)
    assert "3 done before" in again.stdout, again.stderr
    assert ask(tmp_path / "w.duckdb", "SELECT count(*) FROM calls").rows == ((3,),)
    with exclusive(landing / ".packing.lock", "compacting this landing folder"):
        held = night(tmp_path / "calls", *places, env=prefect_server)
    assert held.returncode == 0
    assert "the next run tries again" in held.stderr


@pytest.mark.timeout(600)
def test_a_landing_folder_that_cannot_be_written_ends_the_night_in_one_line(
    tmp_path, prefect_server
):
    """What would befall every call ends the night at the first one; nothing is half published."""
    (tmp_path / "calls").mkdir()
    for i in range(5):
        (tmp_path / "calls" / f"{i}.wav").touch()
    (tmp_path / "w.landing" / "refused").mkdir(parents=True)
    for digits in range(256):
        (tmp_path / "w.landing" / "refused" / f"{digits:02x}").write_text("in the way")
    places = ("--warehouse", tmp_path / "w.duckdb", "--once")
    run = night(tmp_path / "calls", *places, env=prefect_server)
    assert run.returncode == 1, run.stderr
    said = [line for line in run.stderr.splitlines() if line.startswith("error:")]
    assert len(said) == 1 and "cannot write the analysis" in said[0]
    assert not (tmp_path / "w.duckdb").exists()


def its_processes(state: Path) -> set[int]:
    """Processes that have this folder of states in their environment."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(state).encode() in (process / "environ").read_bytes():
                found.add(int(process.name))
    return found


def _reports(home: Path) -> list[str]:
    """The artifacts of nights, as Prefect keeps them."""
    with sqlite3.connect(home / "prefect.db") as db:
        found = db.execute("SELECT key, data FROM artifact WHERE key IS NOT NULL").fetchall()
    assert {key for key, _ in found} == {"night-report"}
    return [str(json.loads(data)) for _, data in found]


def test_deployments_point_at_the_flow_and_never_overlap():
    root = folder("flows").parent
    if not (root / "prefect.yaml").exists():
        pytest.skip("prefect.yaml is part of the checkout, not of the wheel")
    deployments = yaml.safe_load((root / "prefect.yaml").read_text())["deployments"]
    assert [d["name"] for d in deployments] == ["nightly", "reprocess"]
    for deployment in deployments:
        file, function = deployment["entrypoint"].split(":")
        assert f"def {function}(" in (root / file).read_text()
        assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
    (schedule,) = deployments[0]["schedules"]
    assert schedule == {"cron": "0 2 * * *", "timezone": NightSettings().timezone}
    assert deployments[1]["schedules"] == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_schedule_runs_by_itself_on_a_machine_that_never_had_one(tmp_path, end):
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "empty.wav").touch()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    command = [sys.executable, "-m", "warmline", "nightly", str(tmp_path / "calls")]
    command += ["--cron", "* * * * *", "--warehouse", str(tmp_path / "w.duckdb")]
    with (
        (tmp_path / "said").open("w") as said,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stderr=said,
            env={**environment, "XDG_STATE_HOME": str(tmp_path / "state")},
        ) as serving,
    ):
        try:
            deadline = monotonic() + 800
            while not (tmp_path / "w.duckdb").exists() and monotonic() < deadline:
                assert serving.poll() is None, "the schedule ended by itself"
                sleep(1)
        finally:
            serving.send_signal(end)
        serving.wait(60)
    deadline = monotonic() + 120
    while its_processes(tmp_path / "state") and monotonic() < deadline:
        sleep(0.2)
    assert not its_processes(tmp_path / "state"), "processes outlive their schedule"
    if end is signal.SIGTERM:
        assert serving.returncode == 0 and "Traceback" not in (tmp_path / "said").read_text()
    assert ask(tmp_path / "w.duckdb", "SELECT count(*) FROM call_summary").rows == ((1,),)
