"""Copies of remote recordings while they are analyzed: private, and removed afterwards.

Each is in a folder of its own that its process keeps locked. The lock dies with the process, so
that the next run can tell what a killed one left from what is in use, and remove it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import platformdirs

_PREFIX = "call-"


def scratch_folder(named: str) -> Path:
    """Return the folder for temporary copies: the folder named, else one in the user's cache."""
    if named:
        return Path(named).expanduser()
    return platformdirs.user_cache_path("warmline") / "scratch"


@contextmanager
def private_folder(scratch: Path) -> Iterator[Path]:
    """Make a folder that only this user can read; remove it with its content after the block."""
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=scratch))
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():  # and was not swept before it was locked
            break
        os.close(lock)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(scratch: Path) -> int:
    """Remove what processes that have ended left behind; return how many folders."""
    removed = 0
    for folder in scratch.glob(f"{_PREFIX}*"):
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
            except BlockingIOError:
                continue
            finally:
                os.close(lock)
    return removed
