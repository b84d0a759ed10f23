"""Which windows are decoded a second time, and which of the two decodings stands.

A window is decoded again when its text cannot have been said, and when it leaves out seconds of
speech: where voices overlap, Whisper at times goes on with a later sentence and is as sure of what
it wrote as ever.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from warmline.settings import WordSettings
from warmline.values import (
    Span,
    intersect,
    subtract,
    total_s,
    union,
)
from warmline.words.packing import Window
from warmline.words.recogniser import Recognised

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
