"""Packs stretches of speech into windows for the recogniser, with the way back to the call's clock.

Whisper reads 30 s at a time whatever is in them, and makes up words where there are none. So it is
given speech only: stretches of one voice set one after the other with a short silence between.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound
from warmline.values import Span

WINDOW_S = 29.5  # Whisper's 30 s less a margin for the silence it expects at the end
_PADDING_S = 0.2
_JOIN_GAP_S = 1.0
_SEPARATOR_S = 0.3


@dataclass(frozen=True)
class Piece:
    """A stretch of the recording inside a window: `start_s` on the call's clock, `at_s` there."""

    start_s: float
    end_s: float
    at_s: float

    @property
    def until_s(self) -> float:
        """Return where it ends in the window."""
        return self.at_s + self.end_s - self.start_s


@dataclass(frozen=True)
class Window:
    """Pieces of one channel in order; `speech` is where there is speech, on the call's clock."""

    channel: int
    party: str | None
    pieces: tuple[Piece, ...]
    speech: tuple[Span, ...]

    @property
    def duration_s(self) -> float:
        """Length of the packed sound."""
        return self.pieces[-1].until_s

    @property
    def size(self) -> int:
        """Return how many samples the packed sound has."""
        return round(self.duration_s * SAMPLE_RATE_HZ)

    @property
    def stretches(self) -> tuple[Span, ...]:
        """Return the pieces' spans in the call."""
        return tuple(Span(p.start_s, p.end_s) for p in self.pieces)

    def samples(self, sound: Sound) -> NDArray[np.float32]:
        """Return the packed sound, float32 at 16 kHz."""
        packed = np.zeros(self.size, np.float32)
        for piece in self.pieces:
            part = sound.channel(self.channel, piece.start_s, piece.end_s)
            at = round(piece.at_s * SAMPLE_RATE_HZ)
            packed[at : at + part.size] = part[: packed.size - at]
        return packed

    def alone(self) -> tuple["Window", ...]:
        """Return a window for each piece by itself, to be tried when the packed one fails."""
        return tuple(
            Window(self.channel, self.party, (Piece(p.start_s, p.end_s, 0.0),), self.speech)
            for p in self.pieces
        )

    def cut(self, at_s: float) -> tuple["Window", ...]:
        """Return the sound before and after a moment of the call, as a window each."""
        spans = [(p.start_s, p.end_s) for p in self.pieces]
        before = [(start_s, min(end_s, at_s)) for start_s, end_s in spans if start_s < at_s]
        after = [(max(start_s, at_s), end_s) for start_s, end_s in spans if end_s > at_s]
        return tuple(
            Window(self.channel, self.party, tuple(_placed(side)), self.speech)
            for side in (before, after)
            if side
        )

    def on_the_clock(self, start_s: float, end_s: float) -> Span:
        """Return a span of the window in the call's time, inside one piece and within its speech.

        A word that seems to lie across a join belongs to the piece that holds more of it; silence
        at its edges is cut off, so that no word is stretched over a pause.
        """
        piece = max(
            self.pieces,
            key=lambda p: (_overlap(start_s, end_s, p.at_s, p.until_s), -_distance(p, start_s)),
        )
        shift_s = piece.start_s - piece.at_s
        start_s = min(max(start_s + shift_s, piece.start_s), piece.end_s)
        end_s = min(max(end_s + shift_s, start_s), piece.end_s)
        within = [s for s in self.speech if _overlap(start_s, end_s, s.start_s, s.end_s) > 0]
        if not within:
            return Span(start_s, end_s)
        return Span(
            max(start_s, min(s.start_s for s in within)), min(end_s, max(s.end_s for s in within))
        )


def pack(
    audible: Sequence[Span],
    speech: Sequence[Span],
    channel: int,
    party: str | None,
    duration_s: float,
) -> list[Window]:
    """Windows that together hold all that is audible once, in order.

    `speech`, which lies inside `audible`, is what the times of words are kept to. Stretches closer
    than 1 s stay together with the pause between them; each gets 0.2 s of the sound around it. A
    stretch longer than a window is cut at its own pauses, or at the window's end where it has none.
    """
    windows: list[Window] = []
    current: list[Piece] = []
    for start_s, end_s in _padded(audible, duration_s):
        if current and _next_at_s(current) + (end_s - start_s) > WINDOW_S:
            windows.append(_window(channel, party, current, speech))
            current = []
        current.append(Piece(start_s, end_s, _next_at_s(current)))
    if current:
        windows.append(_window(channel, party, current, speech))
    return windows


def _placed(spans: Iterable[tuple[float, float]]) -> list[Piece]:
    pieces: list[Piece] = []
    for start_s, end_s in spans:
        pieces.append(Piece(start_s, end_s, _next_at_s(pieces)))
    return pieces


def _next_at_s(pieces: Sequence[Piece]) -> float:
    return pieces[-1].until_s + _SEPARATOR_S if pieces else 0.0


def _window(
    channel: int, party: str | None, pieces: Sequence[Piece], speech: Sequence[Span]
) -> Window:
    first, last = pieces[0].start_s, pieces[-1].end_s
    own = tuple(Span(s.start_s, s.end_s) for s in speech if s.end_s > first and s.start_s < last)
    return Window(channel, party, tuple(pieces), own)


def _padded(audible: Sequence[Span], duration_s: float) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for span in sorted(audible, key=lambda s: s.start_s):
        start_s = max(0.0, span.start_s - _PADDING_S)
        end_s = min(duration_s, span.end_s + _PADDING_S)
        near = joined and start_s - joined[-1][1] < _JOIN_GAP_S
        if near and end_s - joined[-1][0] <= WINDOW_S:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end_s))
        elif joined and start_s < joined[-1][1]:
            # Padding would repeat sound that the window before has already.
            joined.append((joined[-1][1], max(end_s, joined[-1][1])))
        else:
            joined.append((start_s, end_s))
    return [part for start_s, end_s in joined for part in _halved(start_s, end_s)]


def _halved(start_s: float, end_s: float) -> list[tuple[float, float]]:
    count = max(1, int(np.ceil((end_s - start_s) / WINDOW_S)))
    edges = np.linspace(start_s, end_s, count + 1)
    return [(float(a), float(b)) for a, b in itertools.pairwise(edges) if b > a]


def _overlap(a_start: float, a_end: float, b_start: float, b_end: float) -> float:
    return min(a_end, b_end) - max(a_start, b_start)


def _distance(piece: Piece, time_s: float) -> float:
    return max(piece.at_s - time_s, time_s - piece.until_s, 0.0)
