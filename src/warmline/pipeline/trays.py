"""Short calls go to a process together, so that their words share the recogniser's batches."""

import heapq
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from warmline.pipeline.planned import PlannedCall

Tray = tuple[PlannedCall, ...]

_MOST_CALLS = 6
# Some three minutes of uncompressed two-channel telephone sound; a call of more than half of that
# fills the recogniser's batches by itself.
_MOST_BYTES = 6_400_000

# An hour of one telephone channel, uncompressed in 16 bits, and at 32 kbit/s.
_UNCOMPRESSED_HOUR_BYTES = 57_600_000
_COMPRESSED_HOUR_BYTES = 14_400_000
_UNCOMPRESSED = frozenset({".wav", ".au", ".aif", ".aiff"})


def time_limit_s(tray: Tray, an_hour_s: float, longest_s: float) -> float:
    """How long a tray may take, s: `an_hour_s`, or that for each hour of a large recording.

    The recording's length is guessed from its size, `longest_s` at most: only an analyzing process
    may open it.
    """
    hours = sum(_size(call) / _hour_bytes(call.path) for call in tray)
    return an_hour_s * max(1.0, min(hours, longest_s / 3600))


def _hour_bytes(path: str) -> int:
    is_uncompressed = PurePath(path).suffix.lower() in _UNCOMPRESSED
    return _UNCOMPRESSED_HOUR_BYTES if is_uncompressed else _COMPRESSED_HOUR_BYTES


def trays(calls: Sequence[PlannedCall], jobs: int) -> Iterator[Tray]:
    """Every call once, a few on a tray where they are short, with about as much on each.

    There are no fewer trays than processes (`jobs`) while there are calls for them. Of those dealt
    together the fullest come first, so that the last to end is a small one.
    """
    at_once = jobs * _MOST_CALLS
    for first in range(0, len(calls), at_once):
        dealt = _dealt(calls[first : first + at_once], jobs)
        yield from sorted(dealt, key=lambda tray: sum(map(_size, tray)), reverse=True)


def _dealt(calls: Sequence[PlannedCall], jobs: int) -> list[Tray]:
    """Each short call, the largest first, goes to the emptiest tray; a long one has its own."""
    short = [call for call in calls if _size(call) <= _MOST_BYTES // 2]
    count = max(min(jobs, len(short)), -(-sum(map(_size, short)) // _MOST_BYTES))
    filled: list[tuple[int, int, int, Tray]] = [(0, 0, i, ()) for i in range(count)]
    for call in sorted(short, key=_size, reverse=True):
        load, calls_on_it, i, tray = filled[0]
        heapq.heapreplace(filled, (load + _size(call), calls_on_it + 1, i, (*tray, call)))
    long = [(call,) for call in calls if _size(call) > _MOST_BYTES // 2]
    return [*long, *(tray for *_, tray in filled if tray)]


def _size(call: PlannedCall) -> int:
    return call.recording.size_bytes
