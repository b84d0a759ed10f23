"""How far a call has come is known while it is analyzed, and no lock is waited for."""

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from warmline.files import temporary_folder
from warmline.processes import ProgressFile, ProgressWriter, part_of


def _report_for_ever(writer: ProgressWriter) -> None:
    while True:
        writer(0.5)


def test_what_another_process_tells_is_read() -> None:
    progress = ProgressFile()
    process = multiprocessing.get_context("spawn").Process(target=progress.writer(3), args=(0.25,))
    process.start()
    process.join()
    assert [progress.share(place) for place in (0, 3, 7)] == [0.0, 0.25, 0.0]
    assert progress.writer(3) == ProgressWriter(progress.path, 3)
    assert progress.share(3) == 0.0
    progress.close()


def test_a_process_that_is_killed_while_it_tells_holds_nobody_up() -> None:
    progress = ProgressFile()
    process = multiprocessing.get_context("spawn").Process(
        target=_report_for_ever, args=(progress.writer(0),)
    )
    process.start()
    while progress.share(0) == 0.0:
        assert process.is_alive()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    progress.writer(1)(1.0)
    assert (progress.share(0), progress.share(1)) == (0.5, 1.0)
    progress.close()


def test_a_board_that_was_taken_down_is_told_nothing() -> None:
    progress = ProgressFile()
    writer = progress.writer(0)
    progress.close()
    writer(1.0)
    assert not Path(progress.path).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
def test_the_next_run_clears_what_a_killed_one_has_left() -> None:
    """And an interrupt, which a terminal sends to all processes, is for the run alone."""
    code = """
import os
from multiprocessing import forkserver
from pathlib import Path
from tempfile import TemporaryDirectory
from warmline.processes import ProgressFile, begin
begin()
progress = ProgressFile()
print(Path(f"/proc/{forkserver._forkserver._forkserver_pid}/status").read_text(), flush=True)
os.kill(os.getpid(), 9)
"""
    with TemporaryDirectory() as short:  # names of sockets may not be long
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "TMPDIR": short},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
        said = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
        assert int(said["SigBlk"], 16) >> (signal.SIGINT - 1) & 1
        place = Path(short)
        assert len(list(place.iterdir())) == 2  # of its progress and of its sockets
        with temporary_folder(place) as held, temporary_folder(place) as other:
            assert set(place.iterdir()) == {held, other}
        assert not list(place.iterdir())


def test_a_part_lies_within_the_whole() -> None:
    told: list[float] = []
    progress = part_of(part_of(told.append, 0.5, 1.0), 0.0, 0.5)
    progress(0.0)
    progress(1.0)
    assert told == pytest.approx([0.5, 0.75])
