"""The words of a call as the finders read them: each party's by itself, and what is announced."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Self

from warmline.redaction.book import (
    ADJACENT,
    AFTER,
    ANSWERED,
    DIRECT,
    Book,
    Form,
    Vocabulary,
    labels_in,
)
from warmline.redaction.tokens import Sort, Token, token
from warmline.values import Word

# A longer silence of a party ends what it was saying.
_LINE_PAUSE_S = 3.0
# A longer pause ends a turn.
_TURN_PAUSE_S = 1.0
# So many words beside an announcement may say that it is of a part of a value.
_PART_BEFORE, _PART_BETWEEN = 8, 5
_OF_VALUES = (Sort.NUMBER, Sort.REPEAT, Sort.LETTER, Sort.SPELLED, Sort.CODE, Sort.ACRONYM)
_COUNTED_AFTER, _COUNTED_BEFORE = 4, 9
# A number of so many digits within an announcement is a value: "starting 4506 and ending 7590".
_TYPED_VALUE = 4
# So many words may follow a question in its turn.
_AFTER_QUESTION = 8
# What a name may look like, and what it never does.
NAMED = (Sort.WORD, Sort.ALPHABET, Sort.ACRONYM, Sort.MONTH)
_CONTRACTION = re.compile(r"'(re|ve|ll|m|d|t)$")


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

    @classmethod
    def of(cls, kind: str, words: Line, value: int) -> Self:
        """Return these words, all of one party, as one finding."""
        return cls(kind, words[0].word.party, tuple(heard.place for heard in words), value)


@dataclass(frozen=True)
class Label:
    """An announcement in a line, words [first, past).

    `form` says what it announces, None that numbers to come are not private; `binds` how strongly
    (`book.PLAIN` and so on); `count` how many digits were announced ("six digit code"), 0 when
    nothing was said of it; `is_part` that it is of a part of a value ("begins with", "the month").
    """

    line: Line
    first: int
    past: int
    form: Form | None
    binds: int
    count: int
    is_part: bool = False

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
    def turn(self) -> tuple[int, int]:
        """Return the words of its turn, [first, past)."""
        return turn_around(self.line, self.first)

    @property
    def sentence(self) -> tuple[int, int]:
        """Return the words of its sentence, [first, past)."""
        first, past = self.first, self.past
        while first and not _closes(self.line[first - 1]):
            first -= 1
        while past < len(self.line) and not _closes(self.line[past - 1]):
            past += 1
        return first, past

    @property
    def asks(self) -> bool:
        """Return whether its turn is a question, or ends with it."""
        if self.ends_turn:
            return True
        for at in range(self.past - 1, len(self.line)):
            if self.line[at].token.mark == "?":
                rest = self.line[at + 1 : self.turn[1]]
                is_last = not any(heard.token.mark == "?" for heard in rest)
                return is_last and len(rest) <= _AFTER_QUESTION
            if self.line[at].ends_turn:
                return False
        return False

    @property
    def is_of_thing(self) -> bool:
        """Return whether it is part of a thing's name: "the password reset link"."""
        following = self.line[self.past : self.past + 1]
        is_one = any(h.token.bare in self.words("answers", "no_values") for h in following)
        return is_one and not self.line[self.past - 1].token.mark

    @property
    def is_about(self) -> bool:
        """Return whether something else is asked: "is it in your name?", "under your address?"."""
        bare = [heard.token.bare for heard in self.line[: self.first + 1]][-3:]
        before, owners = self.words("answers", "about"), self.words("answers", "owners")
        return any(one in before and other in owners for one, other in pairwise(bare))


def _closes(heard: Heard) -> bool:
    return heard.ends_turn or heard.token.mark in tuple(".?!")


def turn_around(line: Line, at: int) -> tuple[int, int]:
    """Return the turn in which a word of a line stands, [first, past)."""
    first, past = at, at + 1
    while first and not line[first - 1].ends_turn:
        first -= 1
    while past < len(line) and not line[past - 1].ends_turn:
        past += 1
    return first, past


def sentence_around(line: Line, at: int) -> tuple[int, int]:
    """Return the sentence in which a word of a line stands, [first, past)."""
    first, past = at, at + 1
    while first and not _closes(line[first - 1]):
        first -= 1
    while past < len(line) and not _closes(line[past - 1]):
        past += 1
    return first, past


def is_capital(heard: Heard) -> bool:
    """Return whether a word is written with a capital and may be a name or an initial."""
    return heard.token.is_upper and heard.token.sort in (*NAMED, Sort.LETTER)


def is_named(heard: Heard) -> bool:
    """Return whether a word is written as a name and is no word of everyday talk."""
    return is_capital(heard) and may_be_name(heard)


def may_be_name(heard: Heard) -> bool:
    """Return whether a word may be a name, however it is written."""
    if _CONTRACTION.search(heard.token.bare):
        return False
    return heard.token.sort in NAMED and heard.token.bare not in heard.words("names", "breaks")


def after_leads(line: Line, first: int, past: int, *, keep_one: bool = False) -> int:
    """Return where an answer begins, after "yes, it's"; `keep_one` spares its last word."""
    leads = line[0].words("answers", "leads")
    at = first
    while at < past and line[at].token.bare in leads:
        if keep_one and at + 1 == past:
            break
        is_said = (
            at + 1 < past
            and line[at].token.is_upper
            and at > first
            and line[at + 1].token.bare not in leads
            and line[at].token.bare in ("my", "the")
        )
        if is_said:
            break
        at += 1
    return at


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
            and label.binds not in (ANSWERED, ADJACENT, AFTER)
            and 0 <= before_s - label.at_s <= within_s
            for label in self.labels
        )

    def answers_to(self, kind: str, within_s: float) -> Iterator[tuple[Line, int, int]]:
        """Yield the turn after each question of a kind: the line, its first word, past its last."""
        for label in self.labels:
            is_of_kind = label.form is not None and label.form.kind == kind
            if not is_of_kind or not label.asks or label.is_about or label.is_of_thing:
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
        return line, first, turn_around(line, first)[1]

    def turns_after(self, label: Label, within_s: float) -> Iterator[tuple[Line, int, int]]:
        """Yield the turns of other parties that begin soon after an announcement."""
        place = label.line[label.past - 1].place
        while found := self._places.get(place):
            line, first = found
            past = turn_around(line, first)[1]
            if line[first].word.start_s - label.at_s > within_s:
                return
            if line[first].word.party != label.party:
                yield line, first, past
            place = line[past - 1].place + 1

    def turn_before(self, line: Line, at: int) -> tuple[Line, int, int] | None:
        """Return the turn of another party that ends last before a word of a line."""
        party, place = line[at].word.party, line[at].place
        while (found := self._places.get(place)) and found[0][0].word.party == party:
            place -= 1
        return None if found is None else (found[0], *turn_around(*found))

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
        _with_part(Label(line, first, past, form, binds, _count(line, first, past)))
        for line in found
        for first, past, form, binds in _announced(line, known, book)
    ]
    return Said(
        tuple(sorted(found, key=lambda line: (line[0].word.start_s, line[0].place))),
        tuple(sorted(labels, key=lambda label: label.at_s)),
        frozenset(h.place for line in found for h in line if h.token.sort is Sort.HIDDEN),
        frozenset(
            h.place
            for label in labels
            for h in label.line[label.first : label.past]
            if len(h.token.digits) < _TYPED_VALUE
        ),
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
    return _count_before(line, first) or _count_after(line, past)


def _count_before(line: Line, first: int) -> int:
    """Return how many digits of a value were asked for: "the last four of the IBAN"."""
    ends, links = (line[first].words("answers", n) for n in ("ends_of_values", "part_links"))
    nouns = tuple(line[first].words("answers", "digit_nouns"))
    for at in range(first - 2, max(-1, first - _COUNTED_BEFORE), -1):
        if line[at + 1].ends_turn or line[at + 1].token.mark in tuple(".?!"):
            break
        count = _number(line[at + 1].token.bare, line[at].vocabulary)
        following = line[at + 2].token.bare if at + 2 < len(line) else ""
        is_of = following in links or following.startswith(nouns)
        if line[at].token.bare in ends and count >= 2 and is_of:
            return count
    return 0


def _count_after(line: Line, past: int) -> int:
    """Return how many digits of a value are asked for: "your PIN, the first two digits?"."""
    ends = line[past - 1].words("answers", "ends_of_values")
    for at in range(past, min(past + _COUNTED_AFTER, len(line) - 1)):
        if line[at - 1].ends_turn or line[at - 1].token.mark in tuple(".?!"):
            break
        if line[at].token.bare in ends and (
            count := _number(line[at + 1].token.bare, line[at].vocabulary)
        ):
            return count if count >= 2 else 0
    return 0


def _with_part(label: Label) -> Label:
    """Return the announcement, marked where it is of a part of a value: "it begins with"."""
    begin, end = label.sentence
    first = max(begin, label.first - _PART_BEFORE)
    past = min(label.past + _PART_BETWEEN, label.turn[1])
    names = label.words("answers", "part_names")
    is_date = label.form is not None and label.form.made_of == "date"
    is_named = is_date and any(
        heard.token.bare.removesuffix("'s") in names for heard in label.line[begin:end]
    )
    is_expiry = label.form is not None and label.form.kind == "expiry"
    is_begun = not is_expiry and any(_tells_part(label.line, at) for at in range(first, past))
    is_rest = label.form is not None and (
        _count_before(label.line, label.first) > 0 or (not is_expiry and _is_all_seen(label))
    )
    return replace(label, is_part=is_named or is_begun or is_rest)


def _is_all_seen(label: Label) -> bool:
    """Return whether no more of a value can be read: "all I can see of the code is"."""
    begin, _ = label.sentence
    before = [heard.token.bare for heard in label.line[begin : label.past]]
    seen = label.words("answers", "seen")
    return any(
        word == "all" and i in label.words("answers", "people") and any(w in seen for w in before)
        for word, i in pairwise(before)
    )


def _tells_part(line: Line, at: int) -> bool:
    """Return whether a word says that only a part follows: "starts with", "ends four four"."""
    if line[at].token.bare not in line[at].words("answers", "parts") or line[at].ends_turn:
        return False
    if at and line[at - 1].token.bare == "to":
        return False
    following = line[at + 1].token
    links = line[at].words("answers", "part_links")
    return following.bare in links or following.sort in _OF_VALUES


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
