"""What is read a second time, and which of the readings stands.

A window is read again when its text cannot have been said, and when it leaves out seconds of
speech: where voices overlap, Whisper at times goes on with a later sentence and is as sure of what
it wrote as ever.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from warmline.settings import WordSettings
from warmline.spans import intersect, subtract, total_s, union
from warmline.values import Span
from warmline.words.guard import why_refused
from warmline.words.packing import Window
from warmline.words.recogniser import Recognised

Reading = tuple[Window, Recognised]

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
    """A window to read again in `parts`; `guard` refused its first reading, None if it has gaps."""

    window: Window
    first: Recognised
    guard: str | None
    parts: tuple[Window, ...]


def first_sifted(
    windows: Sequence[Window], results: Sequence[Recognised], settings: WordSettings
) -> tuple[list[Reading], list[Retry]]:
    """Readings that stand, and what to read again: refused ones by the piece, gaps by the side."""
    kept: list[Reading] = []
    retries: list[Retry] = []
    for window, result in zip(windows, results, strict=True):
        guard = why_refused(result, _sound_s(window), settings)
        parts = window.alone() if guard else _sides(window, result)
        if parts:
            retries.append(Retry(window, result, guard, parts))
        else:
            kept.append((window, result))
    return kept, retries


def settled(
    retry: Retry, results: Sequence[Recognised], settings: WordSettings
) -> tuple[list[Reading], Counter[str]]:
    """The readings of a retry that stand, and how many words each guard refused.

    Of a refused window, the parts that no guard refuses. Of one with gaps, its sides if they are
    sure and leave out less; else its first reading.
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
    """Stretches of a window's speech without a word, of at least 2.5 s, on the call's clock."""
    said = []
    for word in result.words:
        span = window.on_the_clock(word.start_s, word.end_s)
        longest_s = _WORD_S + _CHARACTER_S * len(word.text)
        said.append(Span(span.start_s, min(span.end_s, span.start_s + longest_s)))
    heard = intersect(union(window.speech, _BRIDGE_S), window.stretches)
    return [s for s in subtract(heard, said) if s.duration_s >= _LEFT_OUT_S]


def _sides(window: Window, result: Recognised) -> tuple[Window, ...]:
    """The window cut between two stretches of speech, next to where it begins to leave out."""
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
