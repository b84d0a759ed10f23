"""Arithmetic on spans of time, in time linear in their number.

pyannote.core's `Timeline` has the same operations, but compares every span with every other one; a
three-hour call has tens of thousands of words. The inputs need not be sorted or disjoint; the
results always are, and contain no empty span.
"""

from collections.abc import Iterable

from warmline.values import Span


def union(spans: Iterable[Span], bridge_s: float = 0.0) -> list[Span]:
    """Return the spans covered by any of `spans`; gaps shorter than `bridge_s` are closed."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start_s, s.end_s)):
        if span.end_s <= span.start_s:
            continue
        gap_s = span.start_s - joined[-1].end_s if joined else None
        if gap_s is not None and (gap_s <= 0 or gap_s < bridge_s):
            joined[-1] = Span(joined[-1].start_s, max(joined[-1].end_s, span.end_s))
        else:
            joined.append(Span(span.start_s, span.end_s))
    return joined


def intersect(left: Iterable[Span], right: Iterable[Span]) -> list[Span]:
    """Return the spans covered by both."""
    a, b = union(left), union(right)
    common: list[Span] = []
    i = j = 0
    while i < len(a) and j < len(b):
        start_s, end_s = max(a[i].start_s, b[j].start_s), min(a[i].end_s, b[j].end_s)
        if start_s < end_s:
            common.append(Span(start_s, end_s))
        if a[i].end_s <= b[j].end_s:
            i += 1
        else:
            j += 1
    return common


def gaps(spans: Iterable[Span], start_s: float, end_s: float) -> list[Span]:
    """Return the spans between `start_s` and `end_s` that none of `spans` covers."""
    free: list[Span] = []
    at_s = start_s
    for span in union(spans):
        if span.start_s >= end_s:
            break
        if span.start_s > at_s:
            free.append(Span(at_s, span.start_s))
        at_s = max(at_s, span.end_s)
    if at_s < end_s:
        free.append(Span(at_s, end_s))
    return free


def subtract(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """Return what is left of `spans` when every span of `holes` is cut out."""
    kept = union(spans)
    if not kept:
        return []
    return intersect(kept, gaps(holes, kept[0].start_s, kept[-1].end_s))


def total_s(spans: Iterable[Span]) -> float:
    """Return the seconds covered by any of `spans`."""
    return sum((s.duration_s for s in union(spans)), 0.0)
