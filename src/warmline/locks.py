"""One holder at a time, known to the operating system: a lock that dies with its process."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warmline.errors import WarmlineError
from warmline.whole_files import make_private_folder, open_private


class LockedError(WarmlineError):
    """Another process holds the lock."""


@contextmanager
def exclusive(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock file while the block runs; `doing` says what for, in case of a second one.

    The file stays where it is: removing it would let two processes hold two files of one name.
    Raises LockedError naming the process that holds it, OSError when it cannot be made.
    """
    make_private_folder(path.parent)
    with open(path, "a+", encoding="utf-8", opener=open_private) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise LockedError(f"{path}: {holder} is {doing}; wait for it to end") from None
        file.truncate(0)
        file.write(f"process {os.getpid()} on {os.uname().nodename}")
        file.flush()
        yield
