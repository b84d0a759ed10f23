"""Progress of a long piece of work, reported to whoever waits for it."""

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp

# Called with the share of the work that is done, 0..1.
ProgressCallback = Callable[[float], None]


def no_progress(share: float) -> None:
    """Ignore progress: nobody waits for it."""


def part_of(tell: ProgressCallback, first: float, past: float) -> ProgressCallback:
    """Return a callback for a part of the work that lies between two shares of the whole."""
    return lambda share: tell(first + share * (past - first))


# Progress of the calls being analyzed: written by their processes, read by the one that waits.


_SHARE = struct.Struct("d")


class ProgressFile:
    """A shared file with a slot for the progress of each call; `close` removes it."""

    def __init__(self) -> None:
        self._file, path = mkstemp(prefix="warmline-progress-")
        self.path = Path(path)

    def share(self, place: int) -> float:
        """Return the share, 0..1, last reported for the call in this slot."""
        told = os.pread(self._file, _SHARE.size, place * _SHARE.size)
        return float(_SHARE.unpack(told)[0]) if len(told) == _SHARE.size else 0.0

    def writer(self, place: int) -> "ProgressWriter":
        """Return a writer for the slot of a call that is about to begin."""
        writer = ProgressWriter(self.path, place)
        writer(0.0)
        return writer

    def close(self) -> None:
        """Remove the file; later reports are ignored."""
        os.close(self._file)
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class ProgressWriter:
    """Reports the progress of one call, from any process, in its slot of a ProgressFile."""

    board: Path
    place: int

    def __call__(self, share: float) -> None:
        """Write the share that is done; does nothing once the file is removed."""
        with suppress(FileNotFoundError), self.board.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), _SHARE.pack(share), self.place * _SHARE.size)
