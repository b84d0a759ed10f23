"""Which party of one analysis is which of another, or of the truth: by when they speak."""

from collections.abc import Mapping, Sequence
from itertools import permutations

from warmline.values import Span, Speech, intersect, total_s


def speech_by_party(speech: Speech) -> dict[str, list[Span]]:
    """When each party speaks."""
    return {
        party: [Span(s.start_s, s.end_s) for s in speech.segments if s.party == party]
        for party in speech.parties
    }


def matched(
    found: Mapping[str, Sequence[Span]], wanted: Mapping[str, Sequence[Span]]
) -> dict[str, str]:
    """The wanted name of each found party, so that they speak together for as long as can be.

    A party more than there are names has none.
    """
    names: list[str | None] = [*wanted, *([None] * max(0, len(found) - len(wanted)))]
    best = max(
        permutations(names, len(found)),
        key=lambda order: sum(
            total_s(intersect(spans, wanted[name]))
            for spans, name in zip(found.values(), order, strict=True)
            if name is not None
        ),
    )
    return {party: name for party, name in zip(found, best, strict=True) if name is not None}
