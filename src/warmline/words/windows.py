"""Pack speech into windows for the recogniser, and choose which are decoded a second time.

Whisper reads 30 s at a time whatever is in them, and makes up words where there are none. So it is
given speech only: segments of one voice set one after the other with a short silence between, with
the way back to the call's clock.

A window is decoded again when its text cannot have been said, and when it leaves out seconds of
speech: where voices overlap, Whisper at times goes on with a later sentence and is as sure of what
it wrote as ever.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from warmline.recordings.sound import SAMPLE_RATE_HZ, Sound
from warmline.settings import WordSettings
from warmline.values import (
    Span,
    intersect,
    subtract,
    total_s,
    union,
)
from warmline.words.recognisers import Recognised

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


# Which windows are decoded a second time, and which of the two decodings stands.

_LONGEST_PHRASE = 6
_MOST_REPEATS = 5
_FASTEST_WORDS_PER_S = 8.0


def why_refused(result: Recognised, speech_s: float, settings: WordSettings) -> str | None:
    """Return the guard that refuses a window's text, or None if it may stand.

    `speech_s` is how long the window's speech is. The guards, in order: `loop` (compressed text
    or a phrase said over and over), `too_fast` (more words than can be said), `unintelligible`
    (low log-probability), `no_speech` (the recogniser itself doubts that there is speech, and is
    unsure of its words). Thresholds as in Radford et al. 2023, section 4.5, but for speech that
    voice activity has found already.
    """
    words = re.findall(r"[\w']+", result.text.lower())
    if result.compression_ratio > settings.max_compression_ratio or _loops(words):
        return "loop"
    if len(words) > 3 + _FASTEST_WORDS_PER_S * speech_s:
        return "too_fast"
    if result.avg_logprob < settings.min_avg_logprob:
        return "unintelligible"
    doubtful = result.avg_logprob < settings.min_avg_logprob / 2
    if doubtful and result.no_speech_prob > settings.max_no_speech_prob:
        return "no_speech"
    return None


def _loops(words: list[str]) -> bool:
    """Tell whether a phrase of one to six words is repeated five times or more without a break.

    Single words may be said more often ("no no no no no"): for them the bound is doubled.
    """
    for length in range(1, _LONGEST_PHRASE + 1):
        bound = _MOST_REPEATS * (2 if length == 1 else 1)
        runs: Counter[int] = Counter()
        for i in range(length, len(words) - length + 1):
            same = words[i : i + length] == words[i - length : i]
            runs[i] = runs[i - length] + 1 if same else 0
        if runs and max(runs.values()) + 1 >= bound:
            return True
    return False


Decoded = tuple[Window, Recognised]

# Speech without a word for this long is more than a laugh or a hesitation.
_LEFT_OUT_S = 2.5
# Pauses inside a sentence belong to what is left out around them.
_BRIDGE_S = 0.5
# The longest that a word can be said, so that one stretched over a gap does not hide it. Figures
# are one "word" however many they are.
_WORD_S, _CHARACTER_S = 0.5, 0.2
_SHORTEST_SIDE_S = 0.5
_LEAST_GAIN_S = 1.0


@dataclass(frozen=True)
class Retry:
    """A window to decode again in `parts`; `guard` refused its first text, None if it has gaps."""

    window: Window
    first: Recognised
    guard: str | None
    parts: tuple[Window, ...]


def keep_or_retry(
    windows: Sequence[Window], results: Sequence[Recognised], settings: WordSettings
) -> tuple[list[Decoded], list[Retry]]:
    """Return the decodings that stand, and what to decode again.

    A refused window is tried again piece by piece, one with gaps in two halves.
    """
    kept: list[Decoded] = []
    retries: list[Retry] = []
    for window, result in zip(windows, results, strict=True):
        guard = why_refused(result, _sound_s(window), settings)
        parts = window.alone() if guard else _sides(window, result)
        if parts:
            retries.append(Retry(window, result, guard, parts))
        else:
            kept.append((window, result))
    return kept, retries


def choose_decoding(
    retry: Retry, results: Sequence[Recognised], settings: WordSettings
) -> tuple[list[Decoded], Counter[str]]:
    """Return the decodings of a retried window that stand, and how many words each guard refused.

    Of a refused window, the parts that no guard refuses. Of one with gaps, its halves if they are
    sure and leave out less; else its first decoding.
    """
    again = list(zip(retry.parts, results, strict=True))
    guards = [why_refused(result, _sound_s(part), settings) for part, result in again]
    if retry.guard is None:
        surest = min(result.avg_logprob for result in results)
        sure = not any(guards) and surest >= settings.min_avg_logprob / 2
        before_s = total_s(left_out(retry.window, retry.first))
        after_s = sum(total_s(left_out(part, result)) for part, result in again)
        better = sure and after_s <= before_s - _LEAST_GAIN_S
        return (again if better else [(retry.window, retry.first)]), Counter()
    dropped: Counter[str] = Counter()
    for guard, result in zip(guards, results, strict=True):
        if guard:
            dropped[guard] += len(result.text.split())
    return [r for guard, r in zip(guards, again, strict=True) if guard is None], dropped


def left_out(window: Window, result: Recognised) -> list[Span]:
    """Return where a window has speech but no word for 2.5 s or more, on the call's clock."""
    said = []
    for word in result.words:
        span = window.on_the_clock(word.start_s, word.end_s)
        longest_s = _WORD_S + _CHARACTER_S * len(word.text)
        said.append(Span(span.start_s, min(span.end_s, span.start_s + longest_s)))
    heard = intersect(union(window.speech, _BRIDGE_S), window.stretches)
    return [s for s in subtract(heard, said) if s.duration_s >= _LEFT_OUT_S]


def _sides(window: Window, result: Recognised) -> tuple[Window, ...]:
    """Cut a window with gaps between two segments of speech, next to where the first gap begins."""
    gaps = left_out(window, result)
    first_s, last_s = window.stretches[0].start_s, window.stretches[-1].end_s
    borders = [
        border_s
        for before, after in pairwise(sorted(window.speech, key=lambda s: s.start_s))
        for border_s in [(before.end_s + after.start_s) / 2]
        if first_s + _SHORTEST_SIDE_S <= border_s <= last_s - _SHORTEST_SIDE_S
    ]
    if not gaps or not borders:
        return ()
    return window.cut(min(borders, key=lambda at_s: abs(at_s - gaps[0].start_s)))


def _sound_s(window: Window) -> float:
    return sum(s.duration_s for s in window.stretches)
