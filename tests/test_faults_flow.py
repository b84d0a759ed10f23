"""The night as Prefect runs it, killed: with what it started, no call is lost or counted twice."""

import random
import signal
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest

from support.prefect_nights import landed, night_of, parents
from support.sounds import RATE_HZ, write
from warmline.query.questions import ask
from warmline.reports.monitoring import read_health

CALLS, KILLS = 40, 2


def add_calls(folder: Path, first: int) -> None:
    """Too short: all of the way of a call but listening."""
    folder.mkdir(exist_ok=True)
    for number in range(first, first + CALLS):
        noise = np.random.default_rng(number).uniform(-0.1, 0.1, (1, RATE_HZ // 2))
        write(folder / f"c{number:03}.wav", noise.astype(np.float32), RATE_HZ)


def beings_of(home: Path) -> set[int]:
    """Processes that have this home of Prefect in their environment."""
    found = set()
    for pid in parents():
        with suppress(OSError):
            if str(home).encode() in Path(f"/proc/{pid}/environ").read_bytes():
                found.add(pid)
    return found


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc to find them in")
def test_the_flow_may_be_killed_at_any_moment(tmp_path):
    """Its process alone: those for calls, and Prefect's server, end by themselves."""
    chance = random.Random(6)
    for kill in range(KILLS):
        add_calls(tmp_path / "calls", kill * CALLS)
        before = landed(tmp_path / "w.landing")
        with night_of(tmp_path, "jobs = 2\n") as night:
            deadline = monotonic() + 200
            while landed(tmp_path / "w.landing") <= before and monotonic() < deadline:
                assert night.poll() is None, (tmp_path / "log").read_text()
                sleep(0.02)
            sleep(chance.uniform(0.0, 3.0))
            night.kill()
        deadline = monotonic() + 300
        while beings_of(tmp_path) and monotonic() < deadline:
            sleep(0.2)
        assert not beings_of(tmp_path), "processes outlive the night that started them"
    with night_of(tmp_path, "jobs = 2\n") as night:
        # All calls of the nights that were killed are refused: their report is this one's.
        assert night.wait() == 4, (tmp_path / "log").read_text()
    assert "without an analysis" in (tmp_path / "log").read_text()
    rows = ask(tmp_path / "w.duckdb", "SELECT call_id, reason_code FROM calls ORDER BY 1").rows
    assert rows == tuple((f"c{number:03}", "too_short") for number in range(KILLS * CALLS))


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_night_that_is_stopped_ends_in_one_line(tmp_path, end):
    add_calls(tmp_path / "calls", 0)
    with night_of(tmp_path, "jobs = 1\n") as night:
        deadline = monotonic() + 300
        # A line says of which folder its file is.
        while "(calls/c" not in (tmp_path / "log").read_text() and monotonic() < deadline:
            assert night.poll() is None, (tmp_path / "log").read_text()
            sleep(0.02)
        night.send_signal(end)
        assert night.wait(120) == 130
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[-1].startswith("error: interrupted; what was finished is kept")
    said = "\n".join(lines)
    assert "Traceback" not in said and "Crash" not in said and " ERROR " not in said
    assert "View at" not in said, "the server answers nobody else"
    health = read_health(tmp_path / "w.duckdb")
    assert health and (health.state, health.error) == ("interrupted", None)
