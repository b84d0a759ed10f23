"""The night on a Dask cluster: a worker is lost in the middle of it, and no call with it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest

from sounding import RATE_HZ, write
from warmline.questions import ask

pytest.importorskip("prefect_dask", reason="the extra `dask` is not installed")

CALLS = 150
SETTINGS = '[night]\nrunner = "dask"\njobs = 3\nretry_delay_s = 0.1\n'


def workers_of(pid: int) -> Iterator[int]:
    """Processes that multiprocessing started for this one; for a night, the Dask workers."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            command = stat.with_name("cmdline").read_text()
        except OSError:
            continue
        if parent == pid and "spawn_main" in command:
            yield int(stat.parent.name)


def landed(folder: Path) -> int:
    return sum("packs" not in path.parts for path in folder.rglob("*.parquet"))


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to find workers in")
def test_a_worker_killed_in_the_middle_of_the_night_loses_no_call(tmp_path):
    (tmp_path / "calls").mkdir()
    for number in range(CALLS):  # too short: all of the way of a call but listening
        noise = np.random.default_rng(number).uniform(-0.1, 0.1, (1, RATE_HZ // 2))
        write(tmp_path / "calls" / f"c{number:03}.wav", noise.astype(np.float32), RATE_HZ)
    (tmp_path / "dask.toml").write_text(SETTINGS)
    command = [sys.executable, "-m", "warmline", "nightly", "--once", str(tmp_path / "calls")]
    command += [
        "--warehouse",
        str(tmp_path / "w.duckdb"),
        "--settings",
        str(tmp_path / "dask.toml"),
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    environment["PREFECT_HOME"] = str(tmp_path / "prefect")
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as night,
    ):
        deadline = monotonic() + 300
        while landed(tmp_path / "w.landing") < CALLS // 10 and monotonic() < deadline:
            assert night.poll() is None, (tmp_path / "log").read_text()
            sleep(0.02)
        victims = sorted(workers_of(night.pid))
        assert len(victims) == 3
        os.kill(victims[0], 9)
        at_the_kill = landed(tmp_path / "w.landing")
        assert night.wait(300) == 0, (tmp_path / "log").read_text()
    assert CALLS // 10 <= at_the_kill < CALLS
    told = (tmp_path / "log").read_text()
    assert f"{CALLS} refused" in told
    assert told.count("Starting temporary server") == 1  # the workers use that of the night
    rows = ask(tmp_path / "w.duckdb", "SELECT call_id, reason_code FROM calls ORDER BY 1").rows
    assert rows == tuple((f"c{number:03}", "too_short") for number in range(CALLS))
