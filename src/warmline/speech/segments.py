"""Cut a channel's speech into segments of one voice, and find where two voices overlap."""

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from warmline.speech.activity import FRAME_STEP_S, Activity, Interval
from warmline.values import SpeechSegment

_SAME_VOICE = 0.7  # cosine of local activities across a window's border
_LOOK_S = 1.0
_BOTH = 0.5


@dataclass(frozen=True)
class VoiceSegment:
    """Frames `start:end` of the recording in which one voice speaks.

    `window` and `local` identify the window and its local speaker.
    """

    start: int
    end: int
    window: int
    local: int

    @property
    def duration_s(self) -> float:
        """Return the length in seconds."""
        return (self.end - self.start) * FRAME_STEP_S


def cut_at_changes(
    activity: Activity, runs: list[tuple[int, int]], min_stretch_s: float
) -> list[VoiceSegment]:
    """Return segments of one voice, in order; together they cover `runs` exactly."""
    return [s for first, last in runs for s in _cut_run(activity, first, last, min_stretch_s)]


def _cut_run(activity: Activity, first: int, last: int, min_stretch_s: float) -> list[VoiceSegment]:
    pieces: list[VoiceSegment] = []
    for start, end, window in _by_owner(activity, first, last):
        local = activity.local_between(window, start, end).argmax(axis=1)
        if local.size == 0:
            local = np.zeros(end - start, np.int64)
        borders = [0, *(np.flatnonzero(np.diff(local)) + 1), local.size]
        for a, b in itertools.pairwise(borders):
            stop = end if b == local.size else start + int(b)
            pieces.append(VoiceSegment(start + int(a), stop, window, int(local[a])))
    return _joined(activity, _absorbed(pieces, min_stretch_s))


def _by_owner(activity: Activity, first: int, last: int) -> list[tuple[int, int, int]]:
    owners = [activity.owner(f) for f in range(first, last)]
    borders = [0, *(np.flatnonzero(np.diff(owners)) + 1), len(owners)]
    return [
        (first + int(a), first + int(b), owners[int(a)]) for a, b in itertools.pairwise(borders)
    ]


def _absorbed(pieces: list[VoiceSegment], min_stretch_s: float) -> list[VoiceSegment]:
    """Return the pieces with flickers of the label merged into their neighbours."""
    pieces = list(pieces)
    while len(pieces) > 1:
        i = min(range(len(pieces)), key=lambda k: pieces[k].duration_s)
        if pieces[i].duration_s >= min_stretch_s:
            break
        gone = pieces.pop(i)
        if i == 0:
            after = pieces[0]
            pieces[0] = VoiceSegment(gone.start, after.end, after.window, after.local)
        else:
            before = pieces[i - 1]
            pieces[i - 1] = VoiceSegment(before.start, gone.end, before.window, before.local)
    return pieces


def _joined(activity: Activity, pieces: list[VoiceSegment]) -> list[VoiceSegment]:
    """Return the pieces, joining a voice that goes on across the border between two windows.

    Inside a window another local speaker is another voice, however much the two overlap.
    """
    joined = pieces[:1]
    for before, piece in itertools.pairwise(pieces):
        last = joined[-1]
        if before.window != piece.window and _goes_on(activity, before, piece):
            joined[-1] = VoiceSegment(last.start, piece.end, last.window, last.local)
        else:
            joined.append(piece)
    return joined


def _goes_on(activity: Activity, before: VoiceSegment, after: VoiceSegment) -> bool:
    look = int(_LOOK_S / FRAME_STEP_S)
    cosines = []
    for window in {before.window, after.window}:
        x = activity.local_between(window, max(before.start, before.end - look), before.end)
        y = activity.local_between(window, after.start, min(after.end, after.start + look))
        if len(x) and len(y):
            cosines.append(_cosine(x.mean(axis=0), y.mean(axis=0)))
    return bool(cosines) and float(np.mean(cosines)) > _SAME_VOICE


def _cosine(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    return float(x @ y / (np.linalg.norm(x) * np.linalg.norm(y) + 1e-9))


def share_with_two_voices(activity: Activity) -> float:
    """Return the share of windows with speech in which two voices were heard for 0.5 s each."""
    seconds = (activity.local > _BOTH).sum(axis=1) * FRAME_STEP_S
    with_speech = seconds.max(axis=1) >= _BOTH
    two = np.sort(seconds, axis=1)[:, -2] >= _BOTH
    return float(two[with_speech].mean()) if with_speech.any() else 0.0


def overlapped(activity: Activity, segment: VoiceSegment) -> list[tuple[int, int, int, int]]:
    """Return where a second local speaker is active in a segment: (start, end, window, local)."""
    found = []
    for start, end, window in _by_owner(activity, segment.start, segment.end):
        local = activity.local_between(window, start, end)
        if len(local) == 0:
            continue
        order = np.argsort(local, axis=1)
        second = order[:, -2]
        both = np.take_along_axis(local, second[:, None], axis=1)[:, 0] > _BOTH
        code = np.where(both, second, -1)
        borders = [0, *(np.flatnonzero(np.diff(code)) + 1), code.size]
        found += [
            (start + int(a), start + int(b), window, int(code[a]))
            for a, b in itertools.pairwise(borders)
            if code[a] >= 0
        ]
    return found


# The faint edges of speech, in which a word may begin or end.


def with_padding(
    segments: Sequence[SpeechSegment], audible: Sequence[Interval]
) -> list[SpeechSegment]:
    """Return the segments in order, widened to cover all of the `audible` intervals they lie in.

    The first reaches back to the interval's beginning, each on to the next, the last to its end.
    `segments` do not overlap, and each lies in one interval; an interval without any is left out,
    since whatever is in it was too faint to be speech.
    """
    ordered = sorted(segments, key=lambda s: s.start_s)
    starts = [start_s for start_s, _ in audible]
    homes = [bisect_right(starts, s.start_s) - 1 for s in ordered]
    widened = []
    for i, (segment, home) in enumerate(zip(ordered, homes, strict=True)):
        first = i == 0 or homes[i - 1] != home
        last = i == len(ordered) - 1 or homes[i + 1] != home
        start_s = audible[home][0] if first else segment.start_s
        end_s = audible[home][1] if last else ordered[i + 1].start_s
        widened.append(replace(segment, start_s=start_s, end_s=end_s))
    return widened
