"""What a recogniser is asked for, whichever engine does it, and how a fault stays with its call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from warmline.errors import WarmlineError
from warmline.processes import ProgressCallback, no_progress


@dataclass(frozen=True)
class TimedWord:
    """A word with its start and end in the window, seconds."""

    text: str
    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True)
class Recognised:
    """The words recognised in one window, and the recogniser's own doubts about it."""

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
    """The words recognised in windows, in their order; `probability` None for a given language.

    `seconds` is the request's share, by length, of the time that it and those beside it took.
    """

    language: str
    probability: float | None
    results: tuple[Recognised, ...]
    seconds: float = 0.0


class Recogniser(Protocol):
    """An engine that turns windows of sound into words, for several calls at once."""

    def recognise(self, requests: Sequence[Request]) -> list[Recognition]:
        """Return an answer to each request; windows of different calls may share a batch."""


def recognise_each(
    requests: Sequence[Request], recogniser: Recogniser
) -> list[Recognition | Exception]:
    """Return the answer to each request, or the exception that it ran into.

    All are recognised together. When that fails, each is tried alone, since nobody can tell whose
    window it was. Raises `WarmlineError`, which would befall every call.
    """
    started = perf_counter()
    try:
        answers = recogniser.recognise(requests)
    except WarmlineError:
        raise
    except Exception as e:
        if len(requests) == 1:
            return [e]
        return [answer for request in requests for answer in recognise_each([request], recogniser)]
    seconds = perf_counter() - started
    whole = sum(request.samples for request in requests)
    return [
        replace(answer, seconds=seconds * request.samples / whole)
        for request, answer in zip(requests, answers, strict=True)
    ]
