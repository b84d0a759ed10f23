"""Turns as the language stage reads them: comparable words, each with its time in the call."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from warmline.analysis import Moment
from warmline.phrases import Spoken, spoken
from warmline.values import Conversation, RoleName, Span, Transcript, Turn, Word

# Words begin inside their turn; the tolerance is for clocks that were rounded.
_EDGE_S = 0.01


@dataclass(frozen=True)
class TurnText:
    """One turn's words: as recognised (`written`, with `times`) and comparable (`said`).

    Ranges of words [first, past) refer to `said`.
    """

    turn: Turn
    written: tuple[str, ...]
    times: tuple[Span, ...]
    said: Spoken

    def span(self, first: int, past: int) -> Span:
        """Return the times of a range of words."""
        start, end = self.said.sources[first], self.said.sources[past - 1]
        return Span(self.times[start].start_s, max(t.end_s for t in self.times[start : end + 1]))

    def share(self, first: int, past: int, moments: Sequence[Moment]) -> float:
        """Return the share of the words of a range that lie in one of the moments."""
        spans = [self.span(i, i + 1) for i in range(first, past)]
        inside = [any(s.start_s < m.end_s and m.start_s < s.end_s for m in moments) for s in spans]
        return sum(inside) / len(spans)

    def text(self, first: int, past: int) -> str:
        """Return a range of words as they were recognised, with the fillers between them."""
        start, end = self.said.sources[first], self.said.sources[past - 1]
        return " ".join(self.written[start : end + 1])

    def moment(
        self, kind: str, label: str | None, first: int, past: int, rule: str, strength: float
    ) -> Moment:
        """Return the words recognised in a range, with their times."""
        span = self.span(first, past)
        return Moment(
            start_s=span.start_s,
            end_s=span.end_s,
            kind=kind,
            label=label,
            turn_index=self.turn.index,
            party=self.turn.party,
            role=self.turn.role,
            text=self.text(first, past),
            rule=rule,
            strength=strength,
        )


def turn_texts(conversation: Conversation, transcript: Transcript) -> tuple[TurnText, ...]:
    """Return every turn with its words' times, in order.

    Where a turn's words are not in the transcript, each of them has the time of the whole turn.
    """
    by_party: dict[str, list[Word]] = {}
    for word in transcript.words:
        by_party.setdefault(word.party, []).append(word)
    starts = {party: [w.start_s for w in words] for party, words in by_party.items()}
    found = []
    for turn in conversation.turns:
        words = by_party.get(turn.party, [])
        at = starts.get(turn.party, [])
        first = bisect_left(at, turn.start_s - _EDGE_S)
        past = bisect_right(at, turn.end_s + _EDGE_S)
        found.append(_passage(turn, words[first:past]))
    return tuple(found)


def turn_texts_of(said: Sequence[tuple[RoleName, str]]) -> tuple[TurnText, ...]:
    """Return texts of turns that have no recording: the clock counts words."""
    found, at = [], 0
    for index, (role, text) in enumerate(said):
        written = tuple(text.split())
        times = tuple(Span(float(at + i), at + i + 1.0) for i in range(len(written)))
        at += len(written)
        turn = Turn(at - len(written), at, index, role.value, role, text, len(written), 0.0)
        found.append(TurnText(turn, written, times, spoken(written)))
    return tuple(found)


def _passage(turn: Turn, words: Sequence[Word]) -> TurnText:
    written = tuple(turn.text.split())
    times = _times(written, words) or (Span(turn.start_s, turn.end_s),) * len(written)
    return TurnText(turn, written, times, spoken(written))


def _times(written: Sequence[str], words: Sequence[Word]) -> tuple[Span, ...] | None:
    """Return the time of each written word; the party's words outside the turn are skipped."""
    times: list[Span] = []
    for word in words:
        parts = word.text.split()
        at = len(times)
        if parts and list(written[at : at + len(parts)]) == parts:
            times += [Span(word.start_s, word.end_s)] * len(parts)
    return tuple(times) if len(times) == len(written) else None
