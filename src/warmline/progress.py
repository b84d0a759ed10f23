"""How far a long piece of work has come, told to whoever waits for it."""

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp

# Is told the share of the work that is done, 0..1.
ProgressCallback = Callable[[float], None]


def no_progress(share: float) -> None:
    """Nobody waits."""


def part_of(tell: ProgressCallback, first: float, past: float) -> ProgressCallback:
    """Tells of a part of the work, which lies between two shares of the whole."""
    return lambda share: tell(first + share * (past - first))


# How far the calls in hand have come: written by their processes, read by the one that waits.


_SHARE = struct.Struct("d")


class ProgressFile:
    """Places for the shares of calls that are done; `close` takes it down."""

    def __init__(self) -> None:
        self._file, path = mkstemp(prefix="warmline-progress-")
        self.path = Path(path)

    def share(self, place: int) -> float:
        """The share, 0..1, that was told last of the call in this place."""
        told = os.pread(self._file, _SHARE.size, place * _SHARE.size)
        return float(_SHARE.unpack(told)[0]) if len(told) == _SHARE.size else 0.0

    def teller(self, place: int) -> "ProgressWriter":
        """A place for a call that is to begin."""
        teller = ProgressWriter(self.path, place)
        teller(0.0)
        return teller

    def close(self) -> None:
        """Take the board down; what is told afterwards is told to nobody."""
        os.close(self._file)
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class ProgressWriter:
    """Tells a board, from any process, of the call in one place."""

    board: Path
    place: int

    def __call__(self, share: float) -> None:
        """Write the share that is done; when the board was taken down, nobody waits any more."""
        with suppress(FileNotFoundError), self.board.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), _SHARE.pack(share), self.place * _SHARE.size)
