"""What a recogniser is asked for, whichever engine does it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from warmline.progress import ProgressCallback, no_progress


@dataclass(frozen=True)
class TimedWord:
    """A word with its start and end in the window, seconds."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class Recognised:
    """What was recognised in one window, and the recogniser's own doubts about it."""

    text: str
    words: tuple[TimedWord, ...]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


@dataclass(frozen=True, eq=False)
class Clip:
    """At most 30 s of sound: `size` samples at 16 kHz, float32, made when they are read.

    The clips of three hours are not in memory at once.
    """

    size: int
    read: Callable[[], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Request:
    """Windows of one call to recognise.

    `language` None has it detected over all of them; `progress` hears how far it has come.
    """

    windows: Sequence[Clip]
    language: str | None = None
    progress: ProgressCallback = no_progress

    @property
    def samples(self) -> int:
        """How much sound it is."""
        return sum(window.size for window in self.windows)


@dataclass(frozen=True)
class Recognition:
    """What was recognised in windows, in their order; `probability` None for a given language.

    `seconds` is the request's share of the time that all took that were answered with it.
    """

    language: str
    probability: float | None
    results: tuple[Recognised, ...]
    seconds: float = 0.0


class Recogniser(Protocol):
    """An engine that turns windows of sound into words, for several calls at once."""

    def recognise(self, requests: Sequence[Request]) -> list[Recognition]:
        """An answer to each request; windows of different calls may share a batch."""
