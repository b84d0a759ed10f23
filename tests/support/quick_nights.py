"""A night without listening: the pool, landing, loading and packing are real, and can be killed.

Run as a program, `python -m support.quick_nights FOLDER`, it is one night of FOLDER/calls.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from support import factories
from support.plans import MODELS
from warmline import landing
from warmline.errors import Status
from warmline.pipeline.calls import Outcome, RunConfig, analyze_calls, land, outcome_of
from warmline.pipeline.plan import Plan, PlannedCall, land_duplicates, make_plan
from warmline.pipeline.stages import CacheKeys
from warmline.pipeline.workers import Workers
from warmline.processes import no_progress
from warmline.query.questions import ask
from warmline.recordings.metadata import read_metadata
from warmline.run import analyze_with_retries
from warmline.settings import Settings, with_overrides
from warmline.warehouse.publishing import publish
from warmline.warehouse.tables import check_warehouse

DEFINITIONS = factories.definitions_of([factories.call()])


def outcomes_of(workers: Workers, calls: Sequence[PlannedCall]) -> list[Outcome]:
    """How calls end, those that failed in passing after their retries, as in a run."""
    delays_s = workers.config.settings.night.retry_delays_s
    return list(analyze_with_retries(calls, workers.analyze, delays_s))


class QuickWorkers(Workers):
    """Workers that land an analysis of today's making after some hundredths of a second."""

    def _start(self, batch, tells):
        return self._schedule(_quick_batch, batch)


def _quick_batch(config: RunConfig, calls: Sequence[PlannedCall]) -> list[Outcome]:
    return [_quick(config, call) for call in calls]


def _quick(config: RunConfig, call: PlannedCall) -> Outcome:
    if not call.recording.audio_sha256:
        return analyze_calls(config, [call], [no_progress])[0]  # refused before anything is heard
    time.sleep(random.uniform(0.01, 0.1))
    metadata = read_metadata(Path(call.path), config.settings.recordings, None)
    keys = config.cache_keys.keys(call.recording.audio_sha256, metadata)
    made = factories.call(metadata.call_id, stages=keys)
    analysis = replace(made, recording=call.recording, metadata=metadata)
    land(analysis, Path(config.landing), call)
    return outcome_of(analysis)


def quick_order(folder: Path, **values: object) -> RunConfig:
    """What a night in this folder is done with; the names of models stand for models."""
    given = {"night.jobs": 1, "night.retries": 0, "night.retry_delay_s": 0.05}
    given |= {"recordings.settle_s": 0}
    given |= {name.replace("__", "."): value for name, value in values.items()}
    cache_keys = CacheKeys(with_overrides(Settings(), given), MODELS, "rules")
    return RunConfig(cache_keys, str(folder / "w.landing"))


def plan_of(folder: Path, **values: object) -> Plan:
    """What is to be done in this folder."""
    config = quick_order(folder, **values)
    return make_plan([folder / "calls"], Path(config.landing), config.cache_keys)


def night(folder: Path, **values: object) -> list[Outcome]:
    """One night: plan, work, pack, publish."""
    config = quick_order(folder, **values)
    landed = Path(config.landing)
    plan = make_plan([folder / "calls"], landed, config.cache_keys)
    land_duplicates(plan, landed, config.settings)
    with QuickWorkers(config, len(plan.pending)) as workers:
        outcomes = outcomes_of(workers, plan.pending)
    landing.compact(landed, rows_in_pack=4)
    publish(landed, folder / "w.duckdb", DEFINITIONS)
    return outcomes


def land_here(folder: Path, **values: object) -> None:
    """What is pending is analyzed in this process, and not published."""
    config = quick_order(folder, **values)
    plan = plan_of(folder, **values)
    land_duplicates(plan, Path(config.landing), config.settings)
    for call in plan.pending:
        _quick(config, call)


def start_night(folder: Path) -> "subprocess.Popen[bytes]":
    """A night in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "support.quick_nights", str(folder)],
        start_new_session=True,
        cwd=Path(__file__).parents[1],
    )


@contextmanager
def group_of(process: "subprocess.Popen[bytes]") -> Iterator[int]:
    """The process group, of which nothing is left afterwards."""
    try:
        yield process.pid
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def add_recordings(folder: Path, *names: str) -> None:
    """Recordings with bytes of their own; empty ones where the name says so."""
    (folder / "calls").mkdir(exist_ok=True)
    for name in names:
        content = b"" if name.startswith("empty") else name.encode() * 100
        (folder / "calls" / f"{name}.wav").write_bytes(content)


def require_whole(folder: Path) -> None:
    """What can be read at any moment: all landing files; the warehouse, if there is one yet."""
    assert not landing.known(folder / "w.landing").unreadable
    if (folder / "w.duckdb").exists():
        assert all(result.passed for result in check_warehouse(folder / "w.duckdb"))


def require_complete(folder: Path) -> None:
    """Every recording has one row and one analysis that counts, and nothing is left over."""
    found = sorted(str(path) for path in (folder / "calls").glob("*.wav"))
    paths = [known.path for known in landing.known(folder / "w.landing")]
    assert sorted(paths) == found
    rows = ask(folder / "w.duckdb", "SELECT path, status FROM calls ORDER BY path").rows
    assert [path for path, _ in rows] == found
    assert {status for _, status in rows} <= {"analyzed", "refused", "duplicate"}
    assert plan_of(folder).is_done
    assert {known.failed_runs for known in landing.known(folder / "w.landing")} <= {0}
    left = {path.name for path in folder.iterdir()}
    assert left <= {"calls", "w.landing", "w.duckdb", "w.duckdb.lock"}, left


if __name__ == "__main__":
    if any(o.status is Status.FAILED for o in night(Path(sys.argv[1]))):
        sys.exit(3)
