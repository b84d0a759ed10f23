"""The night on a cluster: a worker is lost in the middle of it, and no call with it."""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import numpy as np
import pytest

from support.prefect_nights import landed, night_of, parents
from support.sounds import RATE_HZ, write
from warmline.query.questions import ask

CALLS = 150


def workers_of(night: int, mark: str, generations: int) -> list[int]:
    """Processes of this mark in their command that the night started, or those that it started."""
    parent_of = parents()
    found = {night}
    for _ in range(generations):
        found = {pid for pid, parent in parent_of.items() if parent in found}
    return [pid for pid in sorted(found) if mark in command_of(pid)]


def command_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


@contextmanager
def running(*commands: list[str], **environment: str) -> Iterator[None]:
    """Programs as somebody else starts them: of warmline they have the package only."""
    with ExitStack() as stack:
        for command in commands:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", *command],
                    env={**os.environ, **environment},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            stack.callback(process.terminate)
        yield


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to find workers in")
@pytest.mark.parametrize(
    ("runner", "jobs", "mark", "generations"),
    [
        pytest.param("dask", 3, "spawn_main", 1, id="dask"),
        pytest.param("ray", 2, "ray::analyze_call", 2, id="ray"),  # the night, its node, workers
    ],
)
def test_a_worker_killed_in_the_middle_of_the_night_loses_no_call(
    tmp_path, runner, jobs, mark, generations
):
    pytest.importorskip(f"prefect_{runner}", reason=f"the extra `{runner}` is not installed")
    (tmp_path / "calls").mkdir()
    for number in range(CALLS):  # too short: all of the way of a call but listening
        noise = np.random.default_rng(number).uniform(-0.1, 0.1, (1, RATE_HZ // 2))
        write(tmp_path / "calls" / f"c{number:03}.wav", noise.astype(np.float32), RATE_HZ)
    with night_of(tmp_path, f'runner = "{runner}"\njobs = {jobs}\n') as night:
        deadline = monotonic() + 300
        while landed(tmp_path / "w.landing") < CALLS // 10 and monotonic() < deadline:
            assert night.poll() is None, (tmp_path / "log").read_text()
            sleep(0.02)
        victims = workers_of(night.pid, mark, generations)
        assert 0 < len(victims) <= jobs
        os.kill(victims[0], 9)
        at_the_kill = landed(tmp_path / "w.landing")
        assert night.wait(300) == 4, (tmp_path / "log").read_text()
    assert CALLS // 10 <= at_the_kill < CALLS
    told = (tmp_path / "log").read_text()
    assert f"{CALLS} refused" in told
    assert "Starting temporary server" not in told  # the workers use that of the night
    rows = ask(tmp_path / "w.duckdb", "SELECT call_id, reason_code FROM calls ORDER BY 1").rows
    assert rows == tuple((f"c{number:03}", "too_short") for number in range(CALLS))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("runner", ["dask", "ray"])
def test_a_cluster_of_somebody_else_needs_the_package_only(tmp_path, runner):
    """Its workers have no file of the flow; what they need of it travels with the calls."""
    pytest.importorskip(f"prefect_{runner}", reason=f"the extra `{runner}` is not installed")
    (tmp_path / "calls").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "calls" / f"{name}.wav").touch()
    port = str(free_port())
    address = f"tcp://127.0.0.1:{port}" if runner == "dask" else f"127.0.0.1:{port}"
    keys = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    # Ray's sockets are in its folder, and their names may not be long.
    with TemporaryDirectory(dir="/tmp") as kept:
        here = ["--host", "127.0.0.1", "--port", port]
        head = ["--head", "--port", port, "--num-cpus", "1", "--include-dashboard", "false"]
        programs = {
            "dask": [
                ["dask", "scheduler", "--no-dashboard", *here],
                ["dask", "worker", address, "--nthreads", "1", "--no-dashboard"],
            ],
            "ray": [["ray.scripts.scripts", "start", *head, "--temp-dir", kept, "--block"]],
        }[runner]
        allowed = {"DASK_DISTRIBUTED__WORKER__DAEMON": "false", "RAY_USAGE_STATS_ENABLED": "0"}
        with (
            running(*programs, **allowed, **keys),
            night_of(tmp_path, f'runner = "{runner}"\ncluster = "{address}"\n', **keys) as night,
        ):
            assert night.wait(200) == 4, (tmp_path / "log").read_text()
    rows = ask(tmp_path / "w.duckdb", "SELECT call_id, reason_code FROM calls ORDER BY 1").rows
    assert rows == tuple((name, "empty_file") for name in ("a", "b", "c"))
