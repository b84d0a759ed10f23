"""Measures whose evidence is the stretches they were made of."""

from collections.abc import Sequence

from warmline.metrics import Metric, unsaid
from warmline.values import Span


def spans_of(events: Sequence[Span]) -> tuple[Span, ...]:
    """Only the times of the events."""
    return tuple(Span(e.start_s, e.end_s) for e in events)


def seconds(name: str, events: Sequence[Span]) -> Metric:
    """A call's total length of these stretches."""
    total = sum((e.duration_s for e in events), 0.0)
    return Metric(
        name, None, total, numerator=total, observations=len(events), evidence=spans_of(events)
    )


def longest(name: str, party: str | None, events: Sequence[Span], confidence: float) -> Metric:
    """The length of the longest stretch; there is none to measure when there are no stretches."""
    if not events:
        return unsaid(name, party, "there is none")
    found = max(events, key=lambda e: e.duration_s)
    return Metric(
        name,
        party,
        found.duration_s,
        observations=len(events),
        confidence=confidence,
        evidence=spans_of([found]),
    )
