"""What a recogniser is asked for, whichever engine does it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from warmline.telling import Tell, nobody


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


@dataclass(frozen=True)
class Recognition:
    """What was recognised in windows, in their order; `probability` None for a given language."""

    language: str
    probability: float | None
    results: tuple[Recognised, ...]


class Recogniser(Protocol):
    """An engine that turns windows of at most 30 s of sound into words."""

    def recognise(
        self, windows: Sequence[NDArray[np.float32]], language: str | None, tell: Tell = nobody
    ) -> Recognition:
        """Words of each window (float32 samples at 16 kHz); None detects the language of all."""
