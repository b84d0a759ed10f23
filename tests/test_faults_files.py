"""Full disks, damaged files, wrong clocks: one clear line, and the next night has it all."""

import errno
import io
import os
import random
import resource
import shutil
import struct
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support import factories
from support.quick_nights import (
    DEFINITIONS,
    add_recordings,
    land_here,
    night,
    outcomes_of,
    plan_of,
    quick_order,
    require_complete,
)
from support.sounds import RATE_HZ, talk, write
from support.unprivileged import as_nobody
from support.warehouses import read_rows
from warmline import landing
from warmline.database import open_without_warehouse
from warmline.errors import ModelError, RecordingRefusedError, Status, WarehouseError, fault_code
from warmline.landing import LandingError
from warmline.models import ModelStore
from warmline.models.catalogue import EMBEDDING
from warmline.models.engines import Engines
from warmline.pipeline.workers import Workers
from warmline.query.questions import ask
from warmline.recordings.sound import decode
from warmline.settings import PlaceSettings, RecordingSettings
from warmline.warehouse.publishing import publish

pytestmark = pytest.mark.faults


def limited(folder: Path, file_bytes: int) -> "subprocess.CompletedProcess[str]":
    """A night that may write no file larger than this: what a full disk does, for one process."""
    return subprocess.run(
        [sys.executable, "-m", "support.quick_nights", str(folder)],
        cwd=Path(__file__).parent,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("part", "message"),
    [
        pytest.param(0.1, "no room for a temporary file", marks=pytest.mark.slow),
        (0.9, "cannot write the analysis"),
        pytest.param(5.0, "not published, what was there stays", marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_is_said_and_costs_nothing(tmp_path, part, message):
    """Files may grow to a part of what an analysis takes; a warehouse takes many times as much."""
    add_recordings(tmp_path, "a", "b")
    night(tmp_path)
    add_recordings(tmp_path, "c", "d", "e")
    one = landing.write(factories.call("a"), tmp_path / "size").stat().st_size
    shutil.rmtree(tmp_path / "size")
    full = limited(tmp_path, round(part * one))
    assert full.returncode == 1, full.stderr
    assert any(
        line.startswith("warmline.") and message in line for line in full.stderr.splitlines()
    ), full.stderr
    assert len(read_rows(tmp_path / "w.duckdb", "SELECT 1 FROM calls")) == 2
    night(tmp_path)
    require_complete(tmp_path)


def test_a_small_file_system_that_fills_up_is_said(tmp_path):
    """A real one of 1 MB, where one may be mounted."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(LandingError, match=r"cannot write the analysis.*No space left"):
            for i in range(1000):
                landing.write(factories.call(f"c{i}"), place)
        known = landing.known(place)
        assert len(known) > 5 and not known.unreadable
        assert not list(place.rglob("*.tmp")), "what was half written is removed"
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_landing_folder_without_permission_is_named(tmp_path):
    landing.write(factories.call("a"), tmp_path / "w.landing")
    publish(tmp_path / "w.landing", tmp_path / "w.duckdb", DEFINITIONS)
    for folder in [tmp_path, *(p for p in tmp_path.rglob("*") if p.is_dir())]:
        folder.chmod(0o555)
    try:
        with as_nobody(), pytest.raises(LandingError, match="Permission denied"):
            landing.write(factories.call("b"), tmp_path / "w.landing")
    finally:
        for folder in [tmp_path, *(p for p in tmp_path.rglob("*") if p.is_dir())]:
            folder.chmod(0o755)
    assert len(landing.known(tmp_path / "w.landing")) == 1


@pytest.mark.parametrize(
    "seed", [0, 3, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 24))]
)
def test_a_damaged_landing_file_is_told_and_its_calls_are_done_again(tmp_path, seed):
    """Bits flipped or bytes cut anywhere in a loose file or a pack.

    The head of a page has no checksum: with a wrong bit there, calls may be done again untold.
    """
    chance = random.Random(seed)
    add_recordings(tmp_path, *(f"c{i}" for i in range(6)))
    land_here(tmp_path)
    if seed % 2:
        landing.compact(tmp_path / "w.landing", rows_in_pack=3)
    publish(tmp_path / "w.landing", tmp_path / "w.duckdb", DEFINITIONS)
    victim = chance.choice(sorted((tmp_path / "w.landing").rglob("*.parquet")))
    content = bytearray(victim.read_bytes())
    if seed % 4 < 2:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    else:
        del content[chance.randrange(len(content)) :]
    victim.write_bytes(bytes(content))
    plan = plan_of(tmp_path)
    assert all(victim.name in problem for problem in plan.problems)
    land_here(tmp_path)
    published = publish(tmp_path / "w.landing", tmp_path / "w.duckdb", DEFINITIONS)
    assert {Path(name).name for name in published.unreadable} <= {victim.name}
    rows = read_rows(tmp_path / "w.duckdb", "SELECT status, count(*) FROM calls GROUP BY ALL")
    assert rows == (("analyzed", 6),)
    assert not plan_of(tmp_path).pending


def damaged_for_duckdb_alone(content: bytes, scratch: Path) -> bytes:
    """The file with a bit flipped that Arrow does not miss, though it checks checksums."""
    chance = random.Random(1)
    whole = pq.ParquetFile(io.BytesIO(content)).read()
    for _ in range(5000):
        damaged = bytearray(content)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        with suppress(OSError, pa.ArrowException, ValueError):
            if pq.read_table(io.BytesIO(damaged), page_checksum_verification=True).equals(whole):
                scratch.write_bytes(damaged)
                try:
                    with open_without_warehouse() as con:
                        con.execute(f"SELECT landing_key, stage_keys FROM '{scratch}'").fetchall()
                except duckdb.Error:
                    return bytes(damaged)
    raise AssertionError("no such bit was found")


def test_a_file_that_only_duckdb_finds_damaged_is_told_and_done_again(tmp_path):
    add_recordings(tmp_path, "a", "b")
    land_here(tmp_path)
    publish(tmp_path / "w.landing", tmp_path / "w.duckdb", DEFINITIONS)
    victim, _ = sorted((tmp_path / "w.landing").rglob("*.parquet"))
    scratch = tmp_path / "scratch.parquet"
    victim.write_bytes(damaged_for_duckdb_alone(victim.read_bytes(), scratch))
    plan = plan_of(tmp_path)
    (problem,) = plan.problems
    assert victim.name in problem and "damaged and done again" in problem
    assert len(plan.pending) == 1
    published = publish(tmp_path / "w.landing", tmp_path / "w.duckdb", DEFINITIONS)
    assert {Path(name).name for name in published.unreadable} == {victim.name}
    land_here(tmp_path)
    assert plan_of(tmp_path).is_done
    assert not publish(tmp_path / "w.landing", tmp_path / "w.duckdb", DEFINITIONS).unreadable


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_clock_that_was_set_back_makes_nothing_be_done_for_ever(tmp_path, is_packed):
    """Analyses made when the clock was a year ahead are followed by today's all the same."""
    add_recordings(tmp_path, "a", "b")
    land_here(tmp_path)
    landed = tmp_path / "w.landing"
    ahead = datetime.now(UTC) + timedelta(days=365)
    for known in list(landing.known(landed)):
        landing.write(replace(landing.read_landed(landed, known), analyzed_at=ahead), landed)
    if is_packed:
        landing.compact(landed)
    changed = {"floor__dead_air_s": 3.0}
    assert len(plan_of(tmp_path, **changed).pending) == 2
    land_here(tmp_path, **changed)
    assert plan_of(tmp_path, **changed).is_done
    add_recordings(tmp_path, "b")  # other bytes under a known path
    (tmp_path / "calls" / "b.wav").write_bytes(b"other")
    shutil.copy(tmp_path / "calls" / "a.wav", tmp_path / "calls" / "b copy.wav")
    land_here(tmp_path, **changed)
    assert plan_of(tmp_path, **changed).is_done
    publish(landed, tmp_path / "w.duckdb", DEFINITIONS)
    rows = ask(tmp_path / "w.duckdb", "SELECT status, count(*) FROM calls GROUP BY ALL ORDER BY 1")
    assert rows.rows == (("analyzed", 2), ("duplicate", 1))


class _Failing(io.FileIO):
    """A file on a disk that fails after some bytes."""

    def readinto(self, buffer):
        if self.tell() >= 8192:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().readinto(memoryview(buffer)[:4096])

    def read(self, size=-1):
        if self.tell() >= 8192:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return super().read(min(size, 4096) if size >= 0 else 4096)


def test_a_source_that_fails_while_it_is_read_is_a_passing_fault(tmp_path, monkeypatch):
    add_recordings(tmp_path, "a", "b")

    def away(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr("warmline.pipeline.plan.identify", away)
        assert {call.why for call in plan_of(tmp_path).pending} == {"io_error"}
    night(tmp_path)
    require_complete(tmp_path)


def test_sound_that_cannot_be_read_on_is_no_bad_recording(tmp_path, monkeypatch):
    """The disk's fault is not the file's: it is tried again, not refused for good."""
    path = write(tmp_path / "call.wav", talk(3.0, 120.0, 1)[None], RATE_HZ)
    monkeypatch.setattr("warmline.recordings.container.open_recording", _Failing)
    with pytest.raises(OSError) as caught:
        decode(path, RecordingSettings())
    assert not isinstance(caught.value, RecordingRefusedError)
    assert fault_code(caught.value) == "io_error"


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_call_that_takes_too_much_memory_is_alone_in_that(tmp_path):
    """Nearly four hours of six channels, in a process that may have a gigabyte: 2.7 are needed.

    The sound would lie in a file, had the scratch folder room for one.
    """
    (tmp_path / "full").touch()
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "short.wav").touch()
    rate_hz, channels, size = 4000, 6, 6 * 4000 * 14_000
    form = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * channels, channels, 8)
    header = b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt " + struct.pack("<I", 16) + form
    (tmp_path / "calls" / "huge.wav").write_bytes(header + b"data" + struct.pack("<I", size))
    os.truncate(tmp_path / "calls" / "huge.wav", size + 44)
    given = {"night__call_memory_gb": 1.0, "recordings__scratch": str(tmp_path / "full")}
    config = quick_order(tmp_path, **given)
    pending = plan_of(tmp_path, **given).pending
    with Workers(config, len(pending)) as workers:
        ended = outcomes_of(workers, pending)
    found = {outcome.call_id: (outcome.status, outcome.code) for outcome in ended}
    assert found == {
        "huge": (Status.FAILED, "out_of_memory"),
        "short": (Status.REFUSED, "empty_file"),
    }
    reasons = {landed.call_id: landed for landed in landing.known(tmp_path / "w.landing")}
    assert reasons["huge"].failed_runs == 1
    assert all("\n" not in (outcome.reason or "") for outcome in ended)


def test_a_folder_that_is_no_folder_ends_the_night_in_one_line(tmp_path):
    (tmp_path / "w.landing").mkdir()
    (tmp_path / "w.landing" / "analyses").write_text("in the way")
    with pytest.raises(LandingError, match="analyses: cannot be looked into"):
        landing.known(tmp_path / "w.landing")
    with pytest.raises((LandingError, WarehouseError), match="analyses"):
        publish(tmp_path / "w.landing", tmp_path / "w.duckdb", DEFINITIONS)


@pytest.mark.models
@pytest.mark.timeout(120)
def test_a_damaged_model_is_named_and_what_to_type(tmp_path, engines):
    """What would befall every call is said once, not as thousands of failed calls."""
    shutil.copytree(engines.store.folder / EMBEDDING, tmp_path / EMBEDDING)
    store = ModelStore.from_settings(PlaceSettings(models=str(tmp_path)))
    weights = store.path_of(EMBEDDING)
    content = bytearray(weights.read_bytes())
    content[100:4000] = bytes(3900)
    weights.chmod(0o644)
    weights.write_bytes(bytes(content))
    with pytest.raises(ModelError, match=rf"damaged.*models pull {EMBEDDING}"):
        Engines(store).embedding()


def test_failed_calls_are_in_the_warehouse_with_their_reason(tmp_path):
    add_recordings(tmp_path, "a")
    failed = factories.without_analysis(
        "a", status=Status.FAILED, code="timeout", path=str(tmp_path / "calls" / "a.wav")
    )
    landing.write(replace(failed, failed_runs=2), tmp_path / "w.landing")
    publish(tmp_path / "w.landing", tmp_path / "w.duckdb", DEFINITIONS)
    rows = read_rows(tmp_path / "w.duckdb", "SELECT reason_code, failed_runs FROM calls")
    assert rows == (("timeout", 2),)
