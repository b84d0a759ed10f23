"""Turns as they are heard: from their first sound to their last."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace

from warmline.values import Span, Turn


def heard_turns(turns: Sequence[Turn], talk: Mapping[str, Sequence[Span]]) -> tuple[Turn, ...]:
    """The turns of the parties in `talk`, in order, cut to their sound.

    Recognised words are some 100 ms off, so a turn begins and ends where its speech does. A turn in
    which no speech was detected keeps its times.
    """
    edges = {p: ([s.start_s for s in spans], [s.end_s for s in spans]) for p, spans in talk.items()}
    heard = [_cut(turn, *edges[turn.party]) for turn in turns if turn.party in talk]
    return tuple(sorted(heard, key=lambda t: (t.start_s, t.end_s, t.party)))


def _cut(turn: Turn, starts: Sequence[float], ends: Sequence[float]) -> Turn:
    first, last = bisect_right(ends, turn.start_s), bisect_left(starts, turn.end_s) - 1
    if last < first:
        return turn
    return replace(
        turn, start_s=max(turn.start_s, starts[first]), end_s=min(turn.end_s, ends[last])
    )


class PartyTurns:
    """One party's turns, which never overlap, to ask which one is running."""

    def __init__(self, party: str, turns: Sequence[Turn]) -> None:
        self._turns = [t for t in turns if t.party == party]
        self._starts = [t.start_s for t in self._turns]

    def holding(self, speech: Span) -> Span:
        """The turn that this stretch of speech belongs to; the stretch itself if there is none."""
        at = bisect_left(self._starts, speech.end_s) - 1
        if at < 0 or self._turns[at].end_s <= speech.start_s:
            return speech
        turn = self._turns[at]
        return Span(min(turn.start_s, speech.start_s), max(turn.end_s, speech.end_s))

    def runs_through(self, span: Span) -> bool:
        """Whether one turn begins before the stretch and goes on after it."""
        at = bisect_left(self._starts, span.start_s) - 1
        return at >= 0 and self._turns[at].end_s > span.end_s
