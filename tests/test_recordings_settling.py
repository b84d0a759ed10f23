"""What is still being written is left alone; what lies still is taken, and nobody waits long."""

import os
import threading
import time
from pathlib import Path

import pytest

from warmline import recordings
from warmline.recordings import find_recordings
from warmline.settings import RecordingSettings


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, without waiting."""
    waits: list[float] = []
    monkeypatch.setattr(recordings.time, "sleep", waits.append)
    return waits


def recording(folder: Path, name: str, age_s: float) -> Path:
    path = folder / name
    path.write_bytes(b"x")
    changed = time.time() - age_s
    os.utime(path, (changed, changed))
    return path


def found(*paths: Path, settle_s: float) -> tuple[list[str], list[str]]:
    result = find_recordings(paths, RecordingSettings(settle_s=settle_s))
    return [p.name for p in result.recordings], [p.name for p in result.unfinished]


def test_a_file_that_grows_is_left_alone_and_one_beside_it_taken(tmp_path, monkeypatch):
    recording(tmp_path, "done.wav", 0.1)
    growing = recording(tmp_path, "growing.wav", 0.0)
    written, stop = threading.Event(), threading.Event()

    def write() -> None:
        with growing.open("ab", buffering=0) as file:
            while not stop.wait(0.02):
                file.write(b"x")
                written.set()

    def until_it_grows(_seconds: float) -> None:
        written.clear()
        assert written.wait(30)

    monkeypatch.setattr(recordings.time, "sleep", until_it_grows)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert found(tmp_path, settle_s=9.0) == (["done.wav"], ["growing.wav"])
    finally:
        stop.set()
        writer.join()


def test_a_file_that_was_just_copied_is_waited_for_no_longer_than_needed(tmp_path, waited):
    begun = time.time()
    recording(tmp_path, "new.wav", 2.0)
    recording(tmp_path, "old.wav", 60.0)
    assert found(tmp_path, settle_s=5.0) == (["new.wav", "old.wav"], [])
    (wait_s,) = waited
    assert 3.0 - (time.time() - begun) <= wait_s <= 3.0 + 1e-3


def test_nobody_waits_where_nothing_is_young(tmp_path, waited):
    recording(tmp_path, "old.wav", 60.0)
    assert found(tmp_path, settle_s=5.0) == (["old.wav"], [])
    assert not waited


def test_what_would_take_too_long_is_left_for_the_next_run(tmp_path, waited):
    recording(tmp_path, "new.wav", 30.0)
    assert found(tmp_path, settle_s=60.0) == ([], ["new.wav"])
    assert not waited


def test_a_clock_that_is_far_ahead_keeps_nothing_back(tmp_path, waited):
    recording(tmp_path, "tomorrow.wav", -86_400)
    assert found(tmp_path, settle_s=60.0) == (["tomorrow.wav"], [])


def test_a_file_that_is_named_is_taken_at_once(tmp_path, waited):
    path = recording(tmp_path, "new.wav", 0.0)
    assert found(path, settle_s=60.0) == (["new.wav"], [])
    assert not waited
