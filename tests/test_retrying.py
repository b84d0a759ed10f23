"""Passing faults are tried again, others are not; what fails for ever is left alone and told of.

The processes are real, and so are the ways in which they end.
"""

import errno
import json
import os
import resource
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from support.plans import cache_keys, land, pending, plan
from support.quick_nights import outcomes_of
from warmline import landing
from warmline.analysis import base_analysis, dated_after
from warmline.cli import app
from warmline.errors import Status, fault_code
from warmline.pipeline import calls
from warmline.pipeline.calls import Outcome, RunConfig
from warmline.pipeline.plan import PlannedCall
from warmline.pipeline.workers import Batch, Workers
from warmline.processes import no_progress
from warmline.run import failed_calls, put_back
from warmline.values import CallMetadata

POISONS = ("abort", "kill", "memory", "hang")


class Poisonous(Workers):
    """Workers in which some calls do what their name says instead of being analyzed."""

    def _start(self, batch, progresses):
        return self._schedule(_taste_all, batch)


def _taste_all(config: RunConfig, batch: Batch) -> list[Outcome]:
    return [_taste(config, call) for call in batch]


def _taste(config: RunConfig, call: PlannedCall) -> Outcome:
    """Runs in the worker: the poison of a recording called `kill.wav` kills its process."""
    poison = Path(call.path).stem.split("-")[0]
    if poison in POISONS:
        with (Path(config.landing).parent / f"{Path(call.path).stem}.tries").open("a") as tries:
            tries.write("x")
    if poison == "abort":
        os.abort()
    if poison == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if poison == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as native code that never returns
        time.sleep(600)
    if poison == "memory":
        original, calls.analyze_recordings = calls.analyze_recordings, _greedy
        try:
            return calls.analyze_calls(config, [call], [no_progress])[0]
        finally:
            calls.analyze_recordings = original
    return calls.analyze_calls(config, [call], [no_progress])[0]


def _greedy(given, *_):
    """What `analyze_recordings` makes of a fault in a stage, with memory really asked for."""
    from warmline.analysis import base_analysis
    from warmline.recordings import unread_recording
    from warmline.recordings.metadata import read_metadata
    from warmline.settings import RecordingSettings

    path = given[0].source
    metadata = read_metadata(path, RecordingSettings(), None)
    try:
        np.ones(400_000_000)  # 3.2 GB: more than the limit
    except MemoryError as e:
        code = fault_code(e)
        return [
            (0, base_analysis(unread_recording(path), metadata, Status.FAILED, code, "no memory"))
        ]
    raise AssertionError("there was memory")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calls").mkdir()
    return tmp_path


def run(folder: Path, *names: str, **night: object) -> dict[str, Outcome]:
    """Calls through the pool, in which those called after a poison meet it."""
    for name in names:
        path = folder / "calls" / f"{name}.wav"
        path.write_bytes(b"" if name.startswith("empty") else name.encode() * 100)
    given = {f"night__{k}": v for k, v in {"jobs": 2, "retry_delay_s": 0.1, **night}.items()}
    config = RunConfig(cache_keys(**given), str(folder / "landing"))
    found = plan(folder / "calls", folder / "landing", **given)
    with Poisonous(config, len(found.pending)) as workers:
        ended = outcomes_of(workers, found.pending)
    assert len(ended) == len(found.pending)
    return {outcome.call_id: outcome for outcome in ended}


def tries(folder: Path, name: str) -> int:
    return len((folder / f"{name}.tries").read_text())


@pytest.mark.timeout(120)
def test_a_poison_call_ends_only_its_own_process_and_the_others_go_on(folder):
    good = [f"empty-{i}" for i in range(6)]
    ended = run(folder, "abort", "kill", "memory", *good, retries=1, call_memory_gb=2.0)
    assert {name: ended[name].code for name in good} == dict.fromkeys(good, "empty_file")
    assert "SIGABRT" in (ended["abort"].reason or "")
    assert "SIGKILL" in (ended["kill"].reason or "")
    assert ended["memory"].code == "out_of_memory"
    for name in ("abort", "kill", "memory"):
        assert ended[name].status is Status.FAILED
        assert "\n" not in (ended[name].reason or "")
        # With others, if it was reached before another poison; by itself; and once more.
        assert tries(folder, name) in (2, 3), "a passing fault is tried again"
    rows = {known.call_id: known for known in landing.known(folder / "landing")}
    assert rows.keys() == ended.keys()
    assert {rows[name].failed_runs for name in ("abort", "kill", "memory")} == {1}


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_timeout_ends_the_work_even_where_it_does_not_listen(folder):
    started = time.monotonic()
    ended = run(folder, "hang", "empty", call_timeout_s=8.0, retries=2)
    assert (ended["hang"].code, ended["empty"].code) == ("timeout", "empty_file")
    assert tries(folder, "hang") == 1, "what took too long takes too long again"
    assert time.monotonic() - started < 60


@pytest.mark.timeout(120)
def test_retries_back_off(folder):
    started = time.monotonic()
    run(folder, "kill", retries=3, retry_delay_s=0.2)
    assert tries(folder, "kill") == 4
    assert time.monotonic() - started > 0.2 + 0.4 + 0.8


@pytest.mark.timeout(120)
def test_what_landed_before_its_process_died_is_not_lost(folder):
    """Killed between landing and telling of it: the analysis counts, and is not made again."""
    path = folder / "calls" / "a.wav"
    path.write_bytes(b"a" * 100)
    (call,) = plan(folder / "calls", folder / "landing").pending
    with Workers(RunConfig(cache_keys(), str(folder / "landing")), 1) as workers:
        future = workers._schedule(_land_and_die, (call,))
        outcome = workers.finish(call, future)
    assert outcome.status is Status.ANALYZED
    assert plan(folder / "calls", folder / "landing").is_done


@pytest.mark.timeout(120)
def test_what_fails_again_and_again_has_failed_although_an_earlier_analysis_stays(folder):
    """The failure is noted in that analysis: the next try must not take it for a result."""
    path, landed = folder / "calls" / "kill.wav", folder / "landing"
    path.write_bytes(b"kill" * 100)
    land(path, landed, floor__dead_air_s=3.0)
    ended = run(folder, "kill", retries=1)
    assert (ended["kill"].status, tries(folder, "kill")) == (Status.FAILED, 2)
    (known,) = landing.known(landed)
    assert (known.status, known.failed_runs) == (Status.ANALYZED, 1)


def _land_and_die(config: RunConfig, batch: Batch) -> None:
    land(Path(batch[0].path), Path(config.landing))
    os.kill(os.getpid(), signal.SIGKILL)


def fail(path: Path, landed: Path, runs: int, code: str = "timeout") -> None:
    land(path, landed, Status.FAILED)
    known = landing.known(landed).by_path(str(path))
    assert known is not None
    analysis = landing.read_landed(landed, known)
    landing.write(replace(analysis, reason_code=code, failed_runs=runs), landed)


def test_a_call_that_failed_in_three_runs_is_left_alone_until_put_back(folder):
    path, landed = folder / "calls" / "a.wav", folder / "landing"
    path.write_bytes(b"a" * 100)
    fail(path, landed, 2)
    assert pending(plan(path.parent, landed)) == {"a.wav": "failed before"}
    fail(path, landed, 3)
    made = plan(path.parent, landed)
    assert (pending(made), made.given_up) == ({}, (str(path),))
    assert pending(plan(path.parent, landed, night__give_up_after=0)) == {"a.wav": "failed before"}
    landing.compact(landed)
    assert put_back(landed, failed_calls(landed, reasons={"fault"})) == 0
    assert put_back(landed, failed_calls(landed, calls={"a"})) == 1
    assert pending(plan(path.parent, landed)) == {"a.wav": "failed before"}
    assert len(landing.known(landed)) == 1


def test_a_source_that_is_away_is_never_given_up(folder):
    path, landed = folder / "calls" / "a.wav", folder / "landing"
    path.write_bytes(b"a" * 100)
    fail(path, landed, 9, "io_error")
    assert pending(plan(path.parent, landed)) == {"a.wav": "failed before"}


def test_retry_lists_and_puts_back_by_call_and_by_reason(folder):
    for name, code in (("a", "timeout"), ("b", "process_died"), ("c", "process_died")):
        (folder / "calls" / f"{name}.wav").write_bytes(name.encode() * 100)
        fail(folder / "calls" / f"{name}.wav", folder / "landing", 3, code)

    def retry(*options: str) -> str:
        place = ("--landing", str(folder / "landing"), "--warehouse", str(folder / "w.duckdb"))
        done = CliRunner().invoke(app, ["retry", *options, *place])
        assert done.exit_code == 0, done.output
        return done.stdout

    listed = retry()
    assert "2 process_died, 1 timeout" in listed and "a  timeout, 3 runs" in listed
    assert len(json.loads(retry("--json"))) == 3
    assert "2 calls are put back" in retry("--reason", "process_died")
    assert sorted(pending(plan(folder / "calls", folder / "landing"))) == ["b.wav", "c.wav"]
    assert "1 call is put back" in retry("--call", "a")
    assert len(plan(folder / "calls", folder / "landing").pending) == 3
    wrong = CliRunner().invoke(app, ["retry", "--call", "z", "--landing", str(folder / "landing")])
    assert wrong.exit_code == 1 and "z: not among the calls that failed" in wrong.output


def test_lack_of_memory_is_known_by_every_name():
    torch = "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate"
    for error in (
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError(f"{torch} memory: you tried to allocate 8 bytes."),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    ):
        assert fault_code(error) == "out_of_memory"
    assert fault_code(OSError(errno.EIO, "Input/output error")) == "io_error"
    assert fault_code(RuntimeError("shape mismatch")) == "fault"


def test_torch_without_memory_is_a_passing_fault():
    """What torch really says when the system gives it nothing."""
    torch = pytest.importorskip("torch")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, before[1]))
    try:
        with pytest.raises(RuntimeError) as caught:
            torch.empty(1 << 42)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert fault_code(caught.value) == "out_of_memory"


def test_an_analysis_is_never_dated_before_the_one_it_follows(folder):
    """A clock that was set back must not make the old analysis count for ever."""
    path, landed = folder / "calls" / "a.wav", folder / "landing"
    path.write_bytes(b"a" * 100)
    land(path, landed)
    (call,) = plan(path.parent, landed, floor__dead_air_s=3.0).pending
    assert call.after is not None and call.previous is not None
    analysis = landing.read_landed(landed, call.previous)
    early = replace(analysis, analyzed_at=call.after.replace(year=1999))
    assert dated_after(early, call.after).analyzed_at > call.after
    assert dated_after(early, None) is early


def test_an_analysis_that_cannot_be_done_again_stays_and_is_given_up_after_three_runs(folder):
    """Other settings would have it made anew; what hangs each night is left to a person."""
    path, landed = folder / "calls" / "a.wav", folder / "landing"
    path.write_bytes(b"a" * 100)
    land(path, landed)
    changed = {"floor__dead_air_s": 4.5, "night__give_up_after": 3}
    for runs, code in ((1, "timeout"), (1, "io_error"), (2, "timeout"), (3, "timeout")):
        (call,) = plan(path.parent, landed, **changed).pending
        failed = base_analysis(call.recording, CallMetadata("a"), Status.FAILED, code, "no end")
        calls.land(failed, landed, call)
        (known,) = landing.known(landed)
        assert (known.status, known.failed_runs) == (Status.ANALYZED, runs)
    assert plan(path.parent, landed, **changed).given_up == (str(path),)
    assert [call.failed_runs for call in failed_calls(landed)] == [3]
    assert put_back(landed, failed_calls(landed)) == 1
    assert pending(plan(path.parent, landed, **changed)) == {"a.wav": "changed: floor, empathy"}


def test_a_failure_lands_where_the_earlier_analysis_is_damaged(folder):
    """What is known of it was read, and the rest cannot be: nothing of the run ends with it."""
    path, landed = folder / "calls" / "a.wav", folder / "landing"
    path.write_bytes(b"a" * 100)
    land(path, landed)
    (call,) = plan(path.parent, landed, floor__dead_air_s=4.5).pending
    (landed / call.previous.file).write_bytes(b"PAR1 and no more")
    failed = base_analysis(call.recording, CallMetadata("a"), Status.FAILED, "timeout", "no end")
    calls.land(failed, landed, call)
    (known,) = landing.known(landed)
    assert (known.status, known.failed_runs) == (Status.FAILED, 1)


def test_a_recording_that_is_gone_is_named_whatever_its_folder_is_called(folder):
    path = folder / "[/old] calls" / "a.wav"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a" * 100)
    fail(path, folder / "landing", 1)
    path.unlink()
    place = ("--landing", str(folder / "landing"), "--warehouse", str(folder / "w.duckdb"))
    said = CliRunner().invoke(app, ["retry", "--call", "a", "--now", *place])
    assert f"note: {path}: the recording is gone" in said.stderr.replace("\n", "")
