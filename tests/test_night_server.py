"""The Prefect server of a night: it answers its own night alone, and ends when that ends."""

import logging
import signal
import subprocess
import sys
from asyncio import CancelledError
from base64 import b64encode
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from zoneinfo import ZoneInfo

import duckdb
import httpx
import pytest

from support.prefect_nights import NIGHT, nightly, surroundings
from warmline.errors import ScheduleError
from warmline.files import folder
from warmline.processes import plain_interrupts

BERLIN = ZoneInfo("Europe/Berlin")


@contextmanager
def night(
    home: Path, *arguments: str, **more: str
) -> "Iterator[tuple[str, subprocess.Popen[str]]]":
    """The address of a server, and the night that it belongs to."""
    with subprocess.Popen(
        [sys.executable, "-c", NIGHT, str(folder("flows")), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=surroundings(home, **more),
    ) as process:
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def of_home(home: Path) -> dict[int, Path]:
    """Processes that have this home of Prefect in their environment."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"PREFECT_HOME={home}".encode() in (process / "environ").read_bytes():
                found[int(process.name)] = process
    return found


@pytest.mark.timeout(1200)
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc to look into")
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((), id="once"),
        pytest.param(("schedules",), id="schedule", marks=pytest.mark.slow),
    ],
)
def test_nobody_else_is_answered_and_nothing_outlives_a_kill(tmp_path, prefect_home, arguments):
    home = prefect_home
    keys = {"WARMLINE_KEY": "a-key-of-theirs", "AWS_SECRET_ACCESS_KEY": "another"}
    # The settings may name any variable for the key of pseudonyms, also one that looks harmless.
    keys["PREFECT_AGENTS"] = b64encode(bytes(range(32))).decode()
    with night(home, *arguments, **keys) as (url, process):
        assert url.startswith("http://127.0.0.1:"), "the night itself could not reach it"
        elsewhere = "http://evil.example"
        wrong = "Basic " + b64encode(b"warmline:guess").decode()
        for headers in ({}, {"Authorization": wrong}, {"Origin": elsewhere}):
            for method, path in (
                ("POST", "/flow_runs/filter"),
                ("POST", "/flows/"),
                ("POST", "/deployments/filter"),
                ("GET", "/admin/settings"),
                ("POST", "/block_documents/filter"),
            ):
                json = {} if method == "POST" else None
                answer = httpx.request(method, url + path, headers=headers, json=json, timeout=30)
                assert answer.status_code == 401, (path, answer.text)
                assert "access-control-allow-origin" not in answer.headers
        asked = {"Origin": elsewhere, "Access-Control-Request-Method": "POST"}
        asked["Access-Control-Request-Headers"] = "Authorization"
        allowed = httpx.options(f"{url}/flow_runs/", headers=asked, timeout=30)
        assert "access-control-allow-origin" not in allowed.headers

        its = of_home(home)
        assert len(its) == 2
        (server,) = its.keys() - {process.pid}
        around = (its[server] / "environ").read_bytes().decode()
        secret = around.partition("PREFECT_SERVER_API_AUTH_STRING=")[2].partition("\0")[0]
        assert len(secret) > 40
        assert "WARMLINE_KEY" not in around and "AWS_" not in around
        assert keys["PREFECT_AGENTS"] not in around
        for at in its.values():
            assert secret not in (at / "cmdline").read_text()
        known = {"Authorization": "Basic " + b64encode(secret.encode()).decode()}
        served = httpx.post(f"{url}/flow_runs/filter", headers=known, json={}, timeout=30)
        assert served.status_code == 200

        process.send_signal(signal.SIGKILL)
        process.wait(30)
        deadline = monotonic() + 60
        while of_home(home) and monotonic() < deadline:
            sleep(0.1)
        assert not of_home(home), "the server outlives its night"
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if secret.encode() in path.read_bytes()] == []


DIRECTLY = """
import sys
sys.path.insert(0, sys.argv[1])
from analyze_calls import analyze_calls
analyze_calls(["calls"])
"""


@pytest.mark.timeout(600)
def test_a_flow_that_is_called_directly_starts_no_open_server(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", DIRECTLY, str(folder("flows"))],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=surroundings(tmp_path / "prefect"),
        timeout=500,
        check=False,
    )
    assert run.returncode != 0 and "PREFECT_API_URL" in run.stderr
    assert "temporary server" not in run.stderr


def said(run: "subprocess.CompletedProcess[str]") -> str:
    """The one line that a command has ended with."""
    assert run.returncode == 1, run.stderr
    assert "Traceback" not in run.stderr and "fault in warmline" not in run.stderr
    *before, line = (line for line in run.stderr.splitlines() if line.strip())
    assert all("warmline.toml" in other for other in before)  # which settings were taken
    assert line.startswith("error:")
    return line


@pytest.mark.timeout(1200)
def test_an_api_that_does_not_answer_is_one_line(tmp_path):
    env = surroundings(tmp_path / "prefect", PREFECT_API_URL="http://127.0.0.1:9/api")
    line = said(nightly("nowhere", "--once", env=env, cwd=tmp_path))
    assert "http://127.0.0.1:9/api (PREFECT_API_URL) does not answer" in line
    assert "unset PREFECT_API_URL" in line
    assert not list(tmp_path.glob("warehouse*"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_server_that_cannot_keep_anything_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    env = surroundings(tmp_path / "file" / "prefect")
    line = said(nightly("nowhere", "--once", env=env, cwd=tmp_path))
    assert str(tmp_path / "file" / "prefect") in line and "set PREFECT_HOME" in line
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "prefect.db").write_text("this is no database, and far from being one" * 50)
    run = nightly("nowhere", "--once", env=surroundings(damaged), cwd=tmp_path)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    line = run.stderr.splitlines()[-1]
    assert "did not start" in line and "file is not a database" in line and str(damaged) in line


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_fresh_account_behind_a_dead_proxy_has_its_night(tmp_path):
    """No state folder, and a proxy that nothing of this machine may go through."""
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "empty.wav").touch()
    proxy = "http://127.0.0.1:9"
    env = surroundings(Path("unused"), XDG_STATE_HOME=str(tmp_path / "new" / "state"))
    del env["PREFECT_HOME"]
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        env[name] = proxy
    for name in ("no_proxy", "NO_PROXY"):
        env.pop(name, None)
    run = nightly("calls", "--once", "--warehouse", "w.duckdb", env=env, cwd=tmp_path)
    assert run.returncode == 0, run.stderr  # one refused call pages nobody
    assert "1 refused" in run.stdout
    assert "Traceback" not in run.stderr and "Error" not in run.stderr
    assert (tmp_path / "new/state/warmline/prefect/prefect.db").exists()
    assert oct((tmp_path / "new/state/warmline/prefect").stat().st_mode)[-3:] == "700"


@pytest.mark.timeout(1200)
def test_a_night_that_fails_with_its_own_server_ends_with_one_line(tmp_path, prefect_home):
    """The server takes what Prefect has left to say before it ends."""
    env = surroundings(prefect_home)
    run = nightly("missing", "--once", "--warehouse", "w.duckdb", env=env, cwd=tmp_path)
    assert run.returncode == 1, run.stderr
    assert "Error logging to API" not in run.stderr and "Traceback" not in run.stderr
    last = run.stderr.rstrip().splitlines()[-1]
    assert last.startswith("error: ") and str(tmp_path / "missing") in last


def test_nobody_becomes_a_daemon_unasked(tmp_path, prefect_server):
    asked = nightly("rec", env=prefect_server, cwd=tmp_path)
    assert asked.returncode == 2
    assert "--once" in asked.stderr and "--cron" in asked.stderr
    for given, complaint in (
        (("--cron", "61 2 * * *"), "no times can be read from it"),
        (("--cron", "0 2 * * *", "--timezone", "Europe/Berln"), "time zone 'Europe/Berln'"),
    ):
        assert complaint in said(nightly("rec", *given, env=prefect_server, cwd=tmp_path))


@pytest.mark.timeout(1200)
def test_a_block_that_does_not_exist_is_found_before_it_is_needed(tmp_path, prefect_server):
    (tmp_path / "warmline.toml").write_text('[night]\nnotify = "slack-webhook/nobody"\n')
    for given in (("rec", "--cron", "0 2 * * *"), ("--test-notify",)):
        run = nightly(*given, env=prefect_server, cwd=tmp_path)
        assert run.returncode == 1, run.stderr
        assert "night.notify = 'slack-webhook/nobody': Prefect cannot load" in run.stderr
        assert "Traceback" not in run.stderr
    (tmp_path / "warmline.toml").write_text("")
    line = said(nightly("--test-notify", env=prefect_server, cwd=tmp_path))
    assert "night.notify names nobody" in line


@pytest.mark.parametrize(
    ("said", "error", "is_told"),
    [
        ("Error flushing 2 events (2 to retry, 0 dropped)", CancelledError(), False),
        ("Error flushing 2 events (0 to retry, 2 dropped)", CancelledError(), True),
        ("Error flushing 2 events (2 to retry, 0 dropped)", OSError("disk is full"), True),
    ],
)
def test_a_write_that_is_repeated_is_no_error_of_a_night(
    tmp_path, monkeypatch, said, error, is_told
):
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(str(folder("flows")))
    from night_server import loses_something

    info = (type(error), error, None)
    record = logging.LogRecord("recorder", logging.ERROR, __file__, 1, said, (), info)
    assert loses_something(record) is is_told


def test_what_a_server_says_last_is_told_however_late_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(str(folder("flows")))
    import night_server

    ends = ["sh", "-c", "(sleep 0.6; echo 'OSError: the disk is full' >&2) & exit 1"]
    lines: deque[str] = deque()
    with subprocess.Popen(ends, stderr=subprocess.PIPE, text=True) as server:
        reading = Thread(target=night_server._pass_on, args=(server, lines, Event()))
        reading.start()
        with pytest.raises(ScheduleError, match="OSError: the disk is full"):
            night_server._wait_for("http://127.0.0.1:9/api", server, lines, reading)


@pytest.mark.parametrize(
    ("start", "elsewhere"),
    [
        pytest.param(datetime(2026, 3, 27, 12, tzinfo=BERLIN), [29], id="an hour is missing"),
        pytest.param(datetime(2026, 10, 23, 12, tzinfo=BERLIN), [], id="an hour is double"),
    ],
)
def test_nights_follow_the_clocks_of_their_time_zone(tmp_path, monkeypatch, start, elsewhere):
    """Half past two stays half past two in summer, and each day has one night."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(str(folder("flows")))
    from analyze_calls import starts

    at = starts("30 2 * * *", "Europe/Berlin", start, 5)
    days = [start.date() + timedelta(days=1 + i) for i in range(5)]
    assert [moment.date() for moment in at] == days
    # On the day of the change there is no half past two.
    assert [m.day for m in at if (m.hour, m.minute) != (2, 30)] in ([], elsewhere)
    assert len({moment.utcoffset() for moment in at}) == 2
    plain = starts("30 2 * * *", "UTC", start, 5)
    assert {(moment.hour, moment.minute) for moment in plain} == {(2, 30)}


def test_a_night_that_is_told_to_end_says_how_far_it_was(tmp_path, monkeypatch, capsys):
    """By its schedule alone: a night of its own is told by the command."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(str(folder("flows")))
    from analyze_calls import PrefectHooks

    began = datetime(2026, 11, 30, 2, 0, tzinfo=ZoneInfo("UTC"))
    for schedule, pending in ((None, 3), ("1", None), ("1", 3)):
        if schedule:
            monkeypatch.setenv("WARMLINE_SCHEDULE", schedule)
        hooks = PrefectHooks()
        hooks.pending, hooks.done = pending, 2
        with suppress(KeyboardInterrupt), hooks.told_if_ended(began):
            raise KeyboardInterrupt
    night = "the night of 2026-11-30 02:00 UTC was told to end"
    assert capsys.readouterr().err.splitlines() == [
        f"{night} before it had begun; the next one does all of it",
        f"{night}: 2 of 3 calls are analyzed and kept; the next one continues from there",
    ]


class Ended(BaseException):
    """What Prefect, or anything else, raises for a request to end."""


def test_a_request_to_end_that_meets_duckdb_is_no_fault():
    def end(*_: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(Ended), plain_interrupts():
            duckdb.sql("SELECT sum(a.range) FROM range(1000000) a, range(1000000) b").fetchall()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
