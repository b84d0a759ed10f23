"""The words of a call as the finders read them: each party's by itself, and what is announced."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from warmline.redaction.book import labels_in
from warmline.redaction.tokens import Sort, Token, token
from warmline.values import Word

# A longer silence of a party ends what it was saying.
_LINE_PAUSE_S = 3.0


@dataclass(frozen=True)
class Heard:
    """One word: its place in the transcript, and what it looks like to a finder."""

    place: int
    word: Word
    token: Token


Line = tuple[Heard, ...]


@dataclass(frozen=True)
class Finding:
    """Words of one party, by their places, that are to be hidden as one kind.

    `value` tells apart what belongs together: any number that no other value has.
    """

    kind: str
    party: str
    places: tuple[int, ...]
    value: int


@dataclass(frozen=True)
class Label:
    """An announcement that ended then; `kind` None says that numbers to come are not private."""

    at_s: float
    kind: str | None


# What is announced in lines that were looked at before.
Known = dict[tuple[str, ...], list[tuple[int, int, str | None]]]


@dataclass(frozen=True)
class Said:
    """A call: what each party says without a long silence, and what is announced, by start.

    `hidden` are the places of words that are placeholders already.
    """

    lines: tuple[Line, ...]
    labels: tuple[Label, ...]
    hidden: frozenset[int]

    def is_word(self, place: int) -> bool:
        """Whether at this place of the transcript stands what somebody said."""
        return place not in self.hidden

    def has_announced(self, kind: str, before_s: float, within_s: float) -> bool:
        """Whether something of a kind was announced not long before a time."""
        return any(
            label.kind == kind and 0 <= before_s - label.at_s <= within_s for label in self.labels
        )


def said_by_all(words: Sequence[Word], known: Known) -> Said:
    """The words of a call, party by party; `known` is added to, to be given the next time."""
    found = [line for party in dict.fromkeys(w.party for w in words) for line in _of(words, party)]
    labels = [
        Label(line[past - 1].word.start_s, kind)
        for line in found
        for _, past, kind in _announced(line, known)
    ]
    return Said(
        tuple(sorted(found, key=lambda line: (line[0].word.start_s, line[0].place))),
        tuple(sorted(labels, key=lambda label: label.at_s)),
        frozenset(h.place for line in found for h in line if h.token.sort is Sort.HIDDEN),
    )


def _announced(line: Line, known: Known) -> list[tuple[int, int, str | None]]:
    texts = tuple(heard.word.text for heard in line)
    if texts not in known:
        known[texts] = labels_in(texts)
    return known[texts]


def _of(words: Sequence[Word], party: str) -> Iterator[Line]:
    line: list[Heard] = []
    for place, word in enumerate(words):
        if word.party != party:
            continue
        if line and word.start_s - line[-1].word.end_s > _LINE_PAUSE_S:
            yield tuple(line)
            line = []
        line.append(Heard(place, word, token(word.text)))
    if line:
        yield tuple(line)
