"""The words of a call as the finders read them: each party's by itself, and what is announced."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from warmline.redaction.book import DIRECT, Book, Form, labels_in
from warmline.redaction.tokens import Sort, Token, token
from warmline.redaction.vocabulary import Vocabulary
from warmline.values import Word

# A longer silence of a party ends what it was saying.
_LINE_PAUSE_S = 3.0
# A longer pause ends a turn.
_TURN_PAUSE_S = 1.0
# An announcement that must stand directly before its value may have so many words between.
_MOST_BETWEEN = 4


@dataclass(frozen=True)
class Heard:
    """One word: its place in the transcript, and what it looks like to a finder.

    `ends_turn` says that the next word is another party's, or comes after a pause.
    """

    place: int
    word: Word
    token: Token
    vocabulary: Vocabulary
    ends_turn: bool = False

    def words(self, section: str, name: str) -> frozenset[str]:
        """Return a list of words of the language that is spoken."""
        return self.vocabulary.words(section, name)


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
    """An announcement in a line, words [first, past).

    `form` says what it announces, None that numbers to come are not private; `binds` how strongly
    (`book.PLAIN` and so on); `count` how many digits were announced ("six digit code"), 0 when
    nothing was said of it.
    """

    line: Line
    first: int
    past: int
    form: Form | None
    binds: int
    count: int

    def words(self, section: str, name: str) -> frozenset[str]:
        """Return a list of words of the language that is spoken."""
        return self.line[0].words(section, name)

    @property
    def is_direct(self) -> bool:
        """Return whether only what follows at once is meant."""
        return self.binds == DIRECT

    @property
    def at_s(self) -> float:
        """Return when its last word begins."""
        return self.line[self.past - 1].word.start_s

    @property
    def party(self) -> str:
        """Return who said it."""
        return self.line[self.first].word.party

    @property
    def ends_turn(self) -> bool:
        """Return whether nothing but a courtesy follows in the turn: it asks, or breaks off."""
        for heard in self.line[self.past - 1 :]:
            if heard.ends_turn:
                return True
            following = self.line[self.line.index(heard) + 1 :][:1]
            if following and following[0].token.bare not in self.words("answers", "courtesies"):
                return False
        return True

    @property
    def asks(self) -> bool:
        """Return whether its turn is a question, or ends with it."""
        if self.ends_turn:
            return True
        for heard in self.line[self.past - 1 :]:
            if heard.ends_turn or heard.token.mark == "?":
                return heard.token.mark == "?" and heard.ends_turn
        return False

    @property
    def is_about(self) -> bool:
        """Return whether something else is asked: "is it in your name?", "under your address?"."""
        bare = [heard.token.bare for heard in self.line[: self.first + 1]][-3:]
        before, owners = self.words("answers", "about"), self.words("answers", "owners")
        return any(one in before and other in owners for one, other in pairwise(bare))


# What is announced in lines that were looked at before.
Known = dict[tuple[str, ...], list[tuple[int, int, Form | None, int]]]


@dataclass(frozen=True)
class Said:
    """A call: what each party says without a long silence, and what is announced, by start.

    `hidden` are the places of words that are placeholders already, `taken` those of words that
    announce something.
    """

    lines: tuple[Line, ...]
    labels: tuple[Label, ...]
    hidden: frozenset[int]
    taken: frozenset[int]
    book: Book

    def is_word(self, place: int) -> bool:
        """Return whether at this place of the transcript stands what somebody said."""
        return place not in self.hidden

    def has_announced(self, kind: str, before_s: float, within_s: float) -> bool:
        """Return whether something of a kind was announced not long before a time."""
        return any(
            label.form is not None
            and label.form.kind == kind
            and 0 <= before_s - label.at_s <= within_s
            for label in self.labels
        )

    def answers_to(self, kind: str, within_s: float) -> Iterator[tuple[Line, int, int]]:
        """Yield the turn after each question of a kind: the line, its first word, past its last."""
        for label in self.labels:
            is_of_kind = label.form is not None and label.form.kind == kind
            if not is_of_kind or not label.asks or label.is_about:
                continue
            if (turn := self.next_turn(label)) and _delay_s(label, turn) <= within_s:
                yield turn

    def next_turn(self, label: Label) -> tuple[Line, int, int] | None:
        """Return the next turn of another party: its line, its first word, past its last."""
        place = label.line[label.past - 1].place
        while (found := self._places.get(place)) and found[0][0].word.party == label.party:
            place += 1
        if found is None:
            return None
        line, first = found
        past = first + 1
        while past < len(line) and not line[past - 1].ends_turn:
            past += 1
        return line, first, past

    @cached_property
    def _places(self) -> dict[int, tuple[Line, int]]:
        """Return where each word of the transcript stands: its line, and its index in it."""
        return {heard.place: (line, at) for line in self.lines for at, heard in enumerate(line)}


def _delay_s(label: Label, turn: tuple[Line, int, int]) -> float:
    line, first, _ = turn
    return line[first].word.start_s - label.at_s


def said_by_all(words: Sequence[Word], known: Known, book: Book) -> Said:
    """Return the words of a call, party by party; `known` is added to for the next time."""
    parties = dict.fromkeys(word.party for word in words)
    found = [line for party in parties for line in _of(words, party, book.vocabulary)]
    labels = [
        Label(line, first, past, form, binds, _count(line, first, past))
        for line in found
        for first, past, form, binds in _announced(line, known, book)
    ]
    return Said(
        tuple(sorted(found, key=lambda line: (line[0].word.start_s, line[0].place))),
        tuple(sorted(labels, key=lambda label: label.at_s)),
        frozenset(h.place for line in found for h in line if h.token.sort is Sort.HIDDEN),
        frozenset(h.place for label in labels for h in label.line[label.first : label.past]),
        book,
    )


def _announced(line: Line, known: Known, book: Book) -> list[tuple[int, int, Form | None, int]]:
    texts = tuple(heard.word.text for heard in line)
    if texts not in known:
        known[texts] = labels_in(texts, book)
    return known[texts]


def _count(line: Line, first: int, past: int) -> int:
    """Return how many digits an announcement speaks of: "the six digit code", "last four"."""
    words = line[first].vocabulary
    nouns = tuple(words.words("answers", "digit_nouns"))
    is_of_digits = line[first].token.bare.startswith((*nouns, "number"))
    for at in range(first - 1 if first and is_of_digits else first, past):
        token = line[at].token
        if token.bare.startswith(nouns):
            # "Digits one and four" are places in it.
            break
        is_small = token.sort is Sort.NUMBER and len(token.digits) <= 2 and token.digits
        if is_small and 2 <= int(token.digits) <= 19:
            return int(token.digits)
        head, _, tail = token.bare.partition("-")
        if tail.startswith("digit") and (count := _number(head, words)):
            return count
    return 0


def _number(word: str, words: Vocabulary) -> int:
    digits = token(word, words.code).digits
    return int(digits) if digits and len(digits) <= 2 else 0


def _of(words: Sequence[Word], party: str, vocabulary: Vocabulary) -> Iterator[Line]:
    line: list[Heard] = []
    for place, word in enumerate(words):
        if word.party != party:
            continue
        if line and word.start_s - line[-1].word.end_s > _LINE_PAUSE_S:
            yield _closed(line)
            line = []
        following = words[place + 1] if place + 1 < len(words) else None
        ends = (
            following is None
            or following.party != party
            or following.start_s - word.end_s > _TURN_PAUSE_S
        )
        line.append(Heard(place, word, token(word.text, vocabulary.code), vocabulary, ends))
    if line:
        yield _closed(line)


def _closed(line: Sequence[Heard]) -> Line:
    return (*line[:-1], replace(line[-1], ends_turn=True))
