"""The faint edges of speech, in which a word may begin or end.

Turns and overlaps need the edges that a listener would mark; a recogniser that is given no more
than those loses a word's first or last sound.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

from warmline.speech.activity import Interval
from warmline.values import SpeechSegment


def with_edges(
    segments: Sequence[SpeechSegment], audible: Sequence[Interval]
) -> list[SpeechSegment]:
    """The segments in order, those in one interval of `audible` together covering all of it.

    The first reaches back to its beginning, each on to the next, the last to its end. `segments`
    do not overlap, each lies in one interval; an interval without any is left out, since whatever
    is in it was too faint to be speech.
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
