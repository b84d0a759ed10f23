"""Runs of numbers in what a party says: "four one one, um, double one", "the fourth of July"."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from warmline.redaction.book import word_list
from warmline.redaction.heard import Heard, Line
from warmline.redaction.tokens import MAGNITUDE, TENS, Sort, Token, digits_of

_MAX_LINKS = 3
_SHORT = 2
_SOME_DIGITS = 3
# With as many digits before it, a number that measures something is another number.
_ANOTHER = 4
_DATE_DIGITS = 8
_YEAR_DIGITS = 4


@dataclass(frozen=True)
class Run:
    """A number as it was said. `at` is where it stands in its line: [first, past).

    `has_month` says that it names a month, `is_date` that it is typed as a date or said like one.
    `is_loose` numbers are too short and too bound to what stands around them to be part of anything
    private.
    """

    line: Line
    at: tuple[int, int]
    digits: str
    shape: tuple[int, ...]
    has_month: bool
    is_date: bool
    is_loose: bool

    @property
    def words(self) -> Sequence[Heard]:
        """The words of it."""
        return self.line[self.at[0] : self.at[1]]

    @property
    def start_s(self) -> float:
        """When it begins."""
        return self.words[0].word.start_s

    @property
    def end_s(self) -> float:
        """When it ends."""
        return self.words[-1].word.end_s

    @property
    def party(self) -> str:
        """Who said it."""
        return self.words[0].word.party


def runs(line: Line) -> Iterator[Run]:
    """The numbers of one line in order, without those that say how much or how many."""
    at = 0
    while at < len(line):
        past = _reach(line, at)
        if past == at:
            at += 1
            continue
        for first, last in _parts(line, at, past):
            if run := _run(line, first, last):
                yield run
        at = past


def _reach(line: Line, first: int) -> int:
    """Where the number that begins here ends; the same place when none does."""
    past, links, at = first, 0, first
    while at < len(line) and links <= _MAX_LINKS:
        token = line[at].token
        if token.is_numeric or _is_misheard(line, first, at):
            past, links = at + 1, 0
        elif token.sort is Sort.LINK and past > first:
            links += 1
        elif token.sort is not Sort.REPEAT:
            break
        at += 1
    return past


def _is_misheard(line: Line, first: int, at: int) -> bool:
    """Whether "for" is a four: between two digits, or after some and last of all."""
    if line[at].token.sort is not Sort.HOMOPHONE or at == first:
        return False
    if at + 1 == len(line):
        return at - first >= _SOME_DIGITS and line[at - 1].token.size == 1
    beside = (line[at - 1].token, line[at + 1].token)
    return all(t.size == 1 and t.sort is not Sort.ORDINAL for t in beside)


def _parts(line: Line, first: int, past: int) -> Iterator[tuple[int, int]]:
    """The whole, if it names a month or no day; else what lies between the days."""
    sorts = {heard.token.sort for heard in line[first:past]}
    if Sort.MONTH in sorts or Sort.ORDINAL not in sorts:
        yield first, past
        return
    begin = first
    for at in range(first, past + 1):
        if at == past or line[at].token.sort is Sort.ORDINAL:
            yield begin, at
            begin = at + 1


def _run(line: Line, first: int, past: int) -> Run | None:
    while first < past and line[first].token.sort is Sort.LINK:
        first += 1
    while past > first and line[past - 1].token.sort in (Sort.LINK, Sort.REPEAT):
        past -= 1
    if first == past:
        return None
    if past < len(line) and line[past].token.bare in word_list("numbers", "units"):
        past = _without_measure(line, first, past)
    elif _is_half_past(line, past):
        return None
    tokens = [heard.token for heard in line[first:past]]
    digits = digits_of(tokens)
    if not digits:
        return None
    return Run(
        line,
        (first, past),
        digits,
        tuple(size for t in tokens for size in t.shape or ()),
        has_month=any(t.sort is Sort.MONTH for t in tokens),
        is_date=any(t.is_date for t in tokens) or _is_said_date(tokens, digits),
        is_loose=len(digits) <= _SHORT and _is_bound(line, first, past),
    )


def _is_said_date(tokens: Sequence[Token], digits: str) -> bool:
    """Whether a month has a day, a year or an hour beside it, and no longer number."""
    groups = [len(t.digits) for t in tokens]
    singles = sum(t.sort is Sort.NUMBER and t.size == 1 for t in tokens)
    is_short = len(digits) <= _DATE_DIGITS and max(groups) <= _YEAR_DIGITS >= singles
    return is_short and any(t.sort is Sort.MONTH for t in tokens)


def _is_half_past(line: Line, past: int) -> bool:
    """Whether "a m", "p m" follow."""
    following = [heard.token.bare for heard in line[past : past + 2]]
    return following in (["a", "m"], ["p", "m"])


def _without_measure(line: Line, first: int, past: int) -> int:
    """The end of what is left when the last number measures something: nothing of a short one."""
    if any(heard.token.size == MAGNITUDE for heard in line[first:past]):
        return first
    last = past - 1
    if last > first and line[last - 1].token.size == TENS:
        last -= 1
    left = digits_of([heard.token for heard in line[first:last]])
    return last if len(left) >= _ANOTHER else first


def _is_bound(line: Line, first: int, past: int) -> bool:
    if first and line[first - 1].token.bare in word_list("numbers", "clock"):
        return True
    if past == len(line):
        return False
    after = line[past].token
    closes = after.bare in word_list("numbers", "closers") or after.sort is Sort.MEASURE
    return not closes
