"""A call that hangs, crashes or cannot be heard ends by itself, and leaves a row that says so."""

import multiprocessing
import os
import platform
import re
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support import factories
from support.sounds import RATE_HZ, talk, write
from support.workers import cache_keys, landed, planned
from warmline import landing
from warmline.errors import ModelError, Status
from warmline.landing import LandingError
from warmline.models import ModelStore
from warmline.models.engines import Engines
from warmline.pipeline.analyze import analyze_recording
from warmline.pipeline.calls import Outcome, RunConfig, RunSummary
from warmline.pipeline.plan import Plan
from warmline.pipeline.workers import Workers, have_sound
from warmline.processes import give_memory_back, threads_each


@pytest.fixture
def endless(tmp_path) -> Path:
    """A file that takes a long time to read: 200 GB of zeros that use no disk."""
    path = tmp_path / "endless.wav"
    with path.open("wb") as file:
        file.truncate(200 << 30)
    return path


def heard(path: Path, tmp_path: Path):
    """An analysis with engines that have no models."""
    engines = Engines(ModelStore(tmp_path / "models"))
    return analyze_recording(path, cache_keys(tmp_path), engines)


@pytest.mark.timeout(120)
def test_a_call_that_takes_too_long_is_ended(tmp_path, endless):
    config = RunConfig(cache_keys(tmp_path, night__call_timeout_s=0.05), str(tmp_path / "landing"))
    started = time.monotonic()
    with Workers(config, pending=1) as workers:
        outcome = workers.finish(planned(endless), workers.start(planned(endless)))
    assert (outcome.status, outcome.code) == (Status.FAILED, "timeout")
    assert "0.2 s (night.call_timeout_s)" in (outcome.reason or "")
    assert not outcome.may_pass
    assert time.monotonic() - started < 60
    assert landed(tmp_path / "landing", endless).reason_code == "timeout"


@pytest.mark.timeout(120)
def test_a_failure_does_not_replace_an_analysis_that_is_there(tmp_path, endless):
    folder = tmp_path / "landing"
    landing.write(factories.call("endless", path=str(endless)), folder)
    call = replace(planned(endless), previous=landed(folder, endless))
    config = RunConfig(cache_keys(tmp_path, night__call_timeout_s=0.05), str(folder))
    with Workers(config, pending=1) as workers:
        outcome = workers.finish(call, workers.start(call))
    assert outcome.status is Status.FAILED
    assert landed(folder, endless).status is Status.ANALYZED


@pytest.mark.timeout(120)
def test_a_process_that_dies_takes_only_its_own_call_along(tmp_path, endless):
    empty = tmp_path / "empty.wav"
    empty.touch()
    config = RunConfig(cache_keys(tmp_path), str(tmp_path / "landing"))
    with Workers(config, pending=1) as workers:
        doomed = workers.start(planned(endless))
        while not (doomed.running() or doomed.done()):
            time.sleep(0.05)
        for child in multiprocessing.active_children():
            child.kill()
        outcome = workers.finish(planned(endless), doomed)
        other = workers.finish(planned(empty), workers.start(planned(empty)))
    assert (outcome.status, outcome.code, outcome.may_pass) == (
        Status.FAILED,
        "process_died",
        True,
    )
    assert (other.status, other.code) == (Status.REFUSED, "empty_file")
    assert landed(tmp_path / "landing", endless).status is Status.FAILED
    assert landed(tmp_path / "landing", empty).status is Status.REFUSED


@pytest.mark.timeout(120)
def test_leaving_early_ends_the_processes_at_once(tmp_path, endless):
    config = RunConfig(cache_keys(tmp_path), str(tmp_path / "landing"))
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Workers(config, pending=2) as workers:
        future = workers.start(planned(endless))
        while not (future.running() or future.done()):
            time.sleep(0.05)
        raise KeyboardInterrupt
    assert time.monotonic() - started < 60
    assert multiprocessing.active_children() == []
    assert len(landing.known(tmp_path / "landing")) == 0


_RUN = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from support.workers import cache_keys, planned
from warmline.pipeline.calls import RunConfig
from warmline.pipeline.workers import Workers
folder = Path(sys.argv[1])
with Workers(RunConfig(cache_keys(folder), str(folder / "landing")), 1) as workers:
    future = workers.start(planned(folder / "endless.wav"))
    while not future.running():
        time.sleep(0.05)
    print(workers._pool._pool_manager.worker_manager.workers.keys(), flush=True)
    time.sleep(600)
"""


@pytest.mark.timeout(120)
def test_processes_end_when_their_run_is_killed(tmp_path, endless):
    here = Path(__file__).parent
    run = subprocess.Popen(
        [sys.executable, "-c", _RUN, tmp_path, here], stdout=subprocess.PIPE, text=True
    )
    assert run.stdout
    (worker,) = map(int, re.findall(r"\d+", run.stdout.readline()))
    os.kill(worker, 0)
    run.kill()
    run.wait()
    gone = time.monotonic() + 30
    while Path(f"/proc/{worker}").exists() and time.monotonic() < gone:
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()


def test_a_missing_model_stops_the_batch_and_says_what_to_type(tmp_path):
    path = write(tmp_path / "call.wav", talk(3.0, 120.0, 1)[None], RATE_HZ)
    config = RunConfig(cache_keys(tmp_path), str(tmp_path / "landing"))
    with pytest.raises(ModelError, match="warmline models pull"), Workers(config, 1) as workers:
        workers.finish(planned(path), workers.start(planned(path)))


def test_a_landing_folder_that_cannot_be_written_stops_the_batch(tmp_path):
    (tmp_path / "landing").write_text("a file, not a folder")
    path = tmp_path / "empty.wav"
    path.touch()
    config = RunConfig(cache_keys(tmp_path), str(tmp_path / "landing"))
    with pytest.raises(LandingError, match="landing"), Workers(config, 1) as workers:
        workers.finish(planned(path), workers.start(planned(path)))


def test_a_refusal_keeps_the_key_of_the_stage_that_refused(tmp_path):
    path = write(tmp_path / "short.wav", talk(0.5, 120.0, 1)[None], RATE_HZ)
    analysis = heard(path, tmp_path)
    assert (analysis.status, analysis.reason_code) == (Status.REFUSED, "too_short")
    assert [key.stage for key in analysis.stage_keys] == ["sound"]
    assert analysis.recording.audio_sha256


def test_a_fault_is_told_with_its_stage_and_place_but_no_words(tmp_path, monkeypatch):
    path = write(tmp_path / "call.wav", talk(3.0, 120.0, 1)[None], RATE_HZ)

    def broken(*_: object) -> None:
        raise ValueError("my card number is 4111")

    monkeypatch.setattr("warmline.pipeline.analyze.speech.listen", broken)
    analysis = heard(path, tmp_path)
    assert (analysis.status, analysis.reason_code) == (Status.FAILED, "fault")
    assert "stage speech: ValueError: my card number" in (analysis.reason or "")
    assert "test_pipeline_workers.py:" in (analysis.reason or "")

    # Once there is a transcript, an error's text could quote it.
    monkeypatch.setattr("warmline.pipeline.analyze._require_speech", lambda heard: None)
    monkeypatch.setattr("warmline.pipeline.analyze.speech.listen", lambda *_: None)
    monkeypatch.setattr("warmline.pipeline.analyze.speech.live_channel", lambda heard: None)
    monkeypatch.setattr("warmline.pipeline.analyze.missing_party", lambda heard, layout: None)
    monkeypatch.setattr("warmline.words._windows", broken)
    analysis = heard(path, tmp_path)
    assert "stage words: ValueError (" in (analysis.reason or "")
    assert "4111" not in (analysis.reason or "")


def test_a_fault_that_may_pass_is_told_from_one_that_stays(tmp_path, monkeypatch):
    path = write(tmp_path / "call.wav", talk(3.0, 120.0, 1)[None], RATE_HZ)
    for error, code in ((OSError(5, "Input/output error"), "io_error"), (MemoryError(), None)):

        def failing(*_: object, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr("warmline.pipeline.analyze.decode", failing)
        assert heard(path, tmp_path).reason_code == (code or "out_of_memory")


def outcome(call_id: str, status: Status, code: str | None = None) -> Outcome:
    return Outcome(f"/calls/{call_id}.wav", call_id, status, code, code, 60.0, 10.0)


def test_a_tally_adds_up():
    plan = Plan((), ("/calls/z.wav",), (), (), ("folder x | cannot be read",))
    ended = (
        outcome("a", Status.ANALYZED),
        outcome("b", Status.REFUSED, "empty_file"),
        outcome("c", Status.FAILED, "timeout"),
    )
    summary = RunSummary(plan, ended, wall_s=45.0)
    assert summary.by_status == {
        "analyzed": 1,
        "no_speech": 0,
        "refused": 1,
        "failed": 1,
        "duplicate": 0,
    }
    assert summary.failed == 1
    assert summary.times_real_time == pytest.approx(180 / 45)
    assert summary.by_reason == {"empty_file": 1, "timeout": 1}
    assert summary.as_dict()["problems"] == ["folder x | cannot be read"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no other C library is asked")
def test_what_a_call_has_freed_goes_back_to_the_system() -> None:
    """Small blocks between such as stay would be kept for later otherwise."""
    blocks = [np.ones(8_000) for _ in range(3_000)]
    stays = blocks[::100]
    del blocks
    before = resident_bytes()
    give_memory_back()
    assert before - resident_bytes() > 100e6
    assert all(block.all() for block in stays)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


# CPUs, and threads


@pytest.mark.parametrize(
    ("cpus", "load", "jobs", "threads"),
    [
        (8, 0.4, 2, 4),
        (8, 5.2, 2, 3),
        (8, 7.9, 2, 1),
        (2, 7.0, 1, 1),
        (2, 0.0, 1, 2),
        (2, 0.0, 4, 1),
    ],
)
def test_threads_are_those_that_others_leave(monkeypatch, cpus, load, jobs, threads):
    monkeypatch.setattr("warmline.processes.cores", lambda: cpus)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 9.0, 9.0))
    assert threads_each(jobs) == threads


REFUSED = """
import sys
from pathlib import Path
from support.workers import cache_keys, is_imported, planned
from warmline.pipeline.calls import RunConfig
from warmline.pipeline.workers import Workers, have_sound
folder = Path(sys.argv[1])
calls = [planned(folder / "empty.wav")]
config = RunConfig(cache_keys(folder), str(folder / "landing"))
with Workers(config, 1, listens=have_sound(calls)) as workers:
    ((_, outcome),) = workers.analyze(calls)
    print(outcome.code, workers._schedule(is_imported, (), "whisper").result())
"""


@pytest.mark.timeout(300)
def test_nothing_is_imported_for_files_that_are_refused_unheard(tmp_path):
    """It takes seconds, and a folder of empty files is done in one."""
    (tmp_path / "empty.wav").touch()
    (tmp_path / "other.wav").write_bytes(b"RIFF")
    assert have_sound([planned(tmp_path / name) for name in ("empty.wav", "other.wav")])
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, tmp_path],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["empty_file", "False"]


SETTLED = """
import os
from warmline.processes import settle_in
settle_in(os.getppid(), dict(os.environ), 1, 0.0)
print(*(os.environ[name] for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "KMP_BLOCKTIME")))
"""


@pytest.mark.parametrize("given", [{}, {"OMP_NUM_THREADS": "8"}])
def test_a_process_among_others_takes_no_more_threads_than_its_share(given):
    """Eight threads a process, and a process a core, would wait for each other all the time."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "KMP_"))}
    found = subprocess.run(
        [sys.executable, "-c", SETTLED],
        env=clean | given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split() == ["1", "PASSIVE", "0"]


@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP says what it read")
@pytest.mark.parametrize(
    ("given", "policy"),
    [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")],
    ids=["by default", "as the user says"],
)
def test_the_libraries_that_hear_wait_without_spinning(given, policy):
    """By their own word, when they are loaded as for calls."""
    pytest.importorskip("torch")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "KMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", "import warmline.preloaded"],
        env=clean | {"OMP_DISPLAY_ENV": "TRUE"} | given,
        capture_output=True,
        text=True,
        check=True,
    )
    read = re.findall(r"OMP_WAIT_POLICY = '(\w+)'", done.stderr)
    assert read and set(read) == {policy}


PRELOADED = """
import gc, io, sys
import warmline.preloaded
import duckdb, pyarrow, pyarrow.parquet
from warmline.language.speech_acts import act_book
from warmline.turns.roles import role_rules
loaded = {"scipy.fft", "soxr", "scipy.signal", "librosa"} & set(sys.modules)
print(*sorted(loaded), gc.isenabled(), gc.get_freeze_count() > 100_000)
print(act_book.cache_info().currsize, role_rules.cache_info().currsize)
warmline.processes.leave_pandas_out()
duckdb.connect().execute("SELECT ?", [1])
pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), io.BytesIO())
print("pandas" in sys.modules)
"""


@pytest.mark.timeout(600)
def test_processes_share_what_each_of_them_would_import_and_never_look_through_it():
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-c", PRELOADED], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        *("scipy.fft", "soxr", "True", "True"),  # and nothing that takes long and is not needed
        *("1", "1"),
        "False",
    ]
