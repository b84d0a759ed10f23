"""Runs of digits and letters in what a party says: "four one one, um, double one", "A B for boy".

A line is read three ways: for its numbers, for its codes (letters count) and for its dates (names
of months and ordinals count).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from warmline.phrases.spoken import ENGLISH
from warmline.redaction.heard import Heard, Line
from warmline.redaction.tokens import MAGNITUDE, TENS, Sort, Token, chars_of, is_ipv4, times_over

_MAX_LINKS = 3
_SHORT = 2
_SOME_DIGITS = 3
# With as many digits before it, a number that measures something is another number.
_ANOTHER = 4
# A number as short as this that counts things is no part of anything private.
_COUNTS = 5
_DATE_DIGITS = 8
_YEAR_DIGITS = 4
_LONGEST_PLURAL = 4
_MILLION = 6

#: What a run is made of: the forms of values say which they want.
DIGITS, MIXED, DATE = "digits", "mixed", "date"

_BEGINS = {
    DIGITS: {Sort.MEASURE, Sort.MASK},
    MIXED: {
        Sort.MONTH,
        *(Sort.MEASURE, Sort.MASK, Sort.SPELLED, Sort.LETTER, Sort.ALPHABET, Sort.ACRONYM),
        Sort.CODE,
    },
    DATE: {Sort.MEASURE, Sort.ORDINAL, Sort.MONTH},
}
# Letters that the words which explain them may begin with as well: "K de quilo".
_ALIKE = {"k": "kcq", "q": "qk", "y": "yi"}
_LETTERS = {Sort.LETTER, Sort.ALPHABET, Sort.SPELLED, Sort.ACRONYM, Sort.SOUND}


@dataclass(frozen=True)
class Run:
    """A value, or a part of one, as it was said.

    `at` is where it stands in its line: [first, past).
    `has_month` says that it names a month, `is_date` that it is typed as a date or said like one,
    `is_soft` that a part of it is typed like an amount or a time. `is_loose` runs are too short and
    too bound to what stands around them to be part of anything private.
    """

    line: Line
    at: tuple[int, int]
    made_of: str
    is_loose: bool

    @cached_property
    def _tokens(self) -> list[Token]:
        return _without_explanations(self.line[self.at[0] : self.at[1]])

    @cached_property
    def chars(self) -> str:
        """Return all digits and letters, in order."""
        return chars_of(self._tokens)

    @cached_property
    def digits(self) -> str:
        """Return all digits, in order."""
        return "".join(char for char in self.chars if char.isdigit())

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the lengths of groups that are typed."""
        return tuple(size for t in self._tokens for size in t.shape or ())

    @property
    def has_month(self) -> bool:
        """Return whether it names a month."""
        return any(t.sort is Sort.MONTH for t in self._tokens)

    @property
    def is_date(self) -> bool:
        """Return whether it is typed as a date."""
        return any(t.is_date for t in self._tokens)

    @property
    def is_soft(self) -> bool:
        """Return whether a part of it is typed like an amount, a time or a decimal."""
        return any(t.sort is Sort.MEASURE for t in self._tokens)

    @property
    def is_amount(self) -> bool:
        """Return whether it is an amount or a quantity in most events: "$45.50", "two million"."""
        return any(
            t.is_amount or (t.size == MAGNITUDE and len(t.digits) >= _MILLION) for t in self._tokens
        )

    @property
    def is_round(self) -> bool:
        """Return whether it is said as so many hundreds or thousands: "two hundred and three"."""
        return any(t.size == MAGNITUDE for t in self._tokens)

    @property
    def is_turn(self) -> bool:
        """Return whether it is a turn by itself."""
        first, past = self.at
        return self.line[past - 1].ends_turn and (first == 0 or self.line[first - 1].ends_turn)

    @property
    def is_mere_word(self) -> bool:
        """Return whether it may be a word of its own: "oh", or something written in capitals."""
        if any(t.sort is Sort.ACRONYM for t in self._tokens):
            return not self.digits
        return not self.is_turn and all(
            t.bare in ("oh", "o") or t.sort is Sort.LINK for t in self._tokens
        )

    @property
    def is_years(self) -> bool:
        """Return whether it is nothing but years: "2019, 2020", "twenty twenty eight"."""
        if _is_one_by_one(self._tokens):
            return False
        figures = [t.digits for t in self._tokens if t.sort is not Sort.LINK]
        return _is_year(self.digits) or all(_is_year(digits) for digits in figures)

    @property
    def words(self) -> Sequence[Heard]:
        """Return the words of it."""
        return self.line[self.at[0] : self.at[1]]

    @property
    def start_s(self) -> float:
        """Return when it begins."""
        return self.words[0].word.start_s

    @property
    def end_s(self) -> float:
        """Return when it ends."""
        return self.words[-1].word.end_s

    @property
    def party(self) -> str:
        """Return who said it."""
        return self.words[0].word.party


def _is_year(digits: str) -> bool:
    return len(digits) == _YEAR_DIGITS and digits[:2] in ("19", "20")


def _is_one_by_one(tokens: Sequence[Token]) -> bool:
    """Return whether digits are said one by one, as nobody says a quantity or a year."""
    return sum(t.size == 1 and len(t.digits) == 1 for t in tokens) > _SHORT


def runs(line: Line, made_of: str = DIGITS, taken: frozenset[int] = frozenset()) -> Iterator[Run]:
    """Yield the runs of one line in order, without those that say how much or how many.

    Words at the places `taken` belong to something else (an announcement) and end a run.
    """
    at = 0
    while at < len(line):
        past = _reach(line, at, made_of, taken)
        if past == at:
            at += 1
            continue
        if run := _run(line, at, past, made_of):
            yield run
        at = past


def _reach(line: Line, first: int, made_of: str, taken: frozenset[int]) -> int:
    """Return where the run that begins here ends; the same place when none does."""
    past, links, at = first, 0, first
    while at < len(line) and links <= _MAX_LINKS and line[at].place not in taken:
        token = line[at].token
        explained = explanation(line, at) if made_of == MIXED else 0
        if explained:
            at += explained
            past, links = at, 0
            continue
        if multiplied := _multiplied(line, at):
            at += multiplied
            past, links = at, 0
            continue
        if made_of == DATE and len(token.digits) > _DATE_DIGITS:
            break
        is_counted = token.sort is Sort.PLURAL and past == at > first
        is_month = token.sort is Sort.MONTH and made_of == MIXED and not token.chars
        if is_month:
            break
        if (
            token.is_numeric
            or token.sort in _BEGINS[made_of]
            or is_counted
            or _is_misheard(line, first, at)
            or (made_of == MIXED and _is_sound(line, first, at))
        ):
            past, links = at + 1, 0
        elif token.sort is Sort.LINK and past > first:
            links += 1
        elif token.sort is not Sort.REPEAT:
            break
        at += 1
    return past


def _multiplied(line: Line, at: int) -> int:
    """How many words say one digit several times: "all eights", "three times zero"; 0 for none."""
    said = [heard.token for heard in line[at : at + 3]]
    if said[0].bare == "all" and len(said) > 1 and said[1].sort is Sort.PLURAL:
        return 2
    return 3 if times_over(said) else 0


def explanation(line: Line, at: int) -> int:
    """Return how many words explain a letter: "S for sugar", "B as in boy"; 0 for none."""
    token = line[at].token
    if len(token.bare) != 1 or not token.bare.isalpha():
        return 0
    following = [heard.token.bare for heard in line[at + 1 : at + 5]]
    for words in line[at].vocabulary.explanations:
        count = len(words)
        if following[:count] == list(words) and len(following) > count:
            word = following[count]
            if words[0] == "as" or (
                word[:1] in _ALIKE.get(token.bare, token.bare) and len(word) > 1
            ):
                return count + 2
    return 0


def _without_explanations(said: Line) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while at < len(said):
        count = explanation(said, at) or 1
        token = said[at].token
        follows = tokens and tokens[-1].sort is Sort.LETTER and token.sort is Sort.ALPHABET
        if not (follows and tokens[-1].chars == token.chars):
            tokens.append(_as_letter(token) if count > 1 else token)
        at += count
    return tokens


def _as_letter(token: Token) -> Token:
    return Token(token.bare, Sort.LETTER, chars=token.bare.upper())


def _is_misheard(line: Line, first: int, at: int) -> bool:
    """Return whether "for" is a four: between two digits, or after some and last of all."""
    if line[at].token.sort is not Sort.HOMOPHONE or at == first:
        return False
    if at + 1 == len(line) or line[at].ends_turn:
        return at - first >= _SOME_DIGITS and line[at - 1].token.size == 1
    beside = (line[at - 1].token, line[at + 1].token)
    return all(t.size == 1 and t.sort is not Sort.ORDINAL for t in beside)


def _is_sound(line: Line, first: int, at: int) -> bool:
    """Return whether "see" is a C: between letters or digits."""
    if line[at].token.sort is not Sort.SOUND or at == first:
        return False
    if line[at].ends_turn and line[at].vocabulary.code != ENGLISH:
        return line[at - 1].token.is_numeric and at - first >= _SOME_DIGITS
    if at + 1 == len(line):
        return False
    beside = (line[at - 1].token, line[at + 1].token)
    return all(t.sort in _LETTERS or t.is_numeric for t in beside)


def _run(line: Line, first: int, past: int, made_of: str) -> Run | None:
    def is_edge(at: int, sorts: tuple[Sort, ...]) -> bool:
        return line[at].token.sort in sorts

    while first < past and is_edge(first, (Sort.LINK, Sort.HOMOPHONE)):
        first += 1
    while past > first and is_edge(past - 1, (Sort.LINK, Sort.REPEAT)):
        past -= 1
    if made_of == MIXED:
        past = _without_weak(line, first, past)
        while first < past - 1 and _is_small_word(line[first]):
            first += 1
    if first == past:
        return None
    if made_of != DATE or not any(h.token.sort is Sort.MONTH for h in line[first:past]):
        if _measures(line, first, past):
            past = _without_measure(line, first, past)
        elif _is_half_past(line, past):
            return None
    if first == past or _is_machine_address(line[first:past]):
        return None
    is_loose = _is_bound(line, first, past, made_of)
    date_leads = line[0].words("numbers", "date_leads")
    leading = date_leads if made_of == DATE else line[0].words("numbers", "leads")
    while first and line[first - 1].token.bare in leading:
        first -= 1
    if past < len(line) and not line[past - 1].ends_turn:
        past += line[past].token.bare in line[0].words("numbers", "tails")
    run = Run(line, (first, past), made_of, is_loose)
    is_month = made_of == DATE and any(_is_month(heard) for heard in line[first:past])
    return run if run.chars or is_month else None


def _is_month(heard: Heard) -> bool:
    """Return whether it is written as the name of a month: "may" in small is another word."""
    return heard.token.sort is Sort.MONTH and heard.token.is_upper


def _is_machine_address(said: Line) -> bool:
    """Return whether it is IPv4 addresses as they are said: "one nine two dot one six ..."."""
    found: list[list[list[Token]]] = [[[]]]
    for heard in said:
        if heard.token.bare in ("dot", "point"):
            found[-1].append([])
        elif heard.token.bare in ("and", "then") and found[-1] != [[]]:
            found.append([[]])
        elif heard.token.sort is not Sort.LINK:
            found[-1][-1].append(heard.token)
    return all(is_ipv4([chars_of(p) for p in parts]) for parts in found if parts != [[]])


def _without_weak(line: Line, first: int, past: int) -> int:
    """Return the end without a last "a" or "I" that goes with what follows."""
    last, weak = line[past - 1], line[0].words("spelling", "weak")
    is_free = last.token.mark or last.ends_turn or past == len(line)
    before = line[past - 2] if past > 1 else None
    goes_on = before and not before.ends_turn and before.token.mark not in tuple(".?!")
    if goes_on and last.token.bare == "a" and last.token.is_upper:
        # Written with a capital within a sentence: the letter.
        return past
    if past - first >= 1 and last.token.bare in weak and not (is_free and past - first > 1):
        return past - 1
    return past


def _is_small_word(heard: Heard) -> bool:
    """Return whether it is a word of one letter as other languages have them: "o 91 23", "a 12"."""
    is_weak = heard.token.bare in heard.words("spelling", "weak")
    return is_weak and not heard.token.is_upper and heard.vocabulary.code != ENGLISH


def _measures(line: Line, first: int, past: int) -> bool:
    """Return whether a unit follows, or the plural of what is counted."""
    if past >= len(line) or line[past - 1].token.mark in tuple(".?!,;") or line[past - 1].ends_turn:
        return False
    bare, words = line[past].token.bare, line[past].vocabulary
    if bare in words.words("numbers", "units"):
        return True
    digits = sum(len(h.token.digits) for h in line[first:past])
    is_plural = (
        bare.endswith("s") and not bare.endswith(("ss", "'s")) and len(bare) >= _LONGEST_PLURAL
    )
    return (
        is_plural
        and digits <= _COUNTS
        and line[past].token.sort is Sort.WORD
        and bare not in words.words("numbers", "closers")
    )


def _is_half_past(line: Line, past: int) -> bool:
    """Return whether "a m", "p m" follow."""
    following = [heard.token.bare for heard in line[past : past + 2]]
    return following in (["a", "m"], ["p", "m"]) or following[:1] in (["a.m"], ["p.m"])


def _without_measure(line: Line, first: int, past: int) -> int:
    """The end of what is left when the last number measures something: nothing of a short one."""
    if any(heard.token.size == MAGNITUDE for heard in line[first:past]):
        return first
    last = past - 1
    if last > first and line[last - 1].token.size == TENS:
        last -= 1
    left = chars_of([heard.token for heard in line[first:last]])
    return last if len(left) >= _ANOTHER else first


def _is_bound(line: Line, first: int, past: int, made_of: str) -> bool:
    """Return whether words around it say that it counts something or is a time."""
    digits = chars_of([heard.token for heard in line[first:past]])
    before, words = line[first - 1].token if first else None, line[first].vocabulary
    if made_of == DATE and (len(digits) >= _SHORT or any(map(_is_month, line[first:past]))):
        return False
    if before and not before.mark and len(digits) <= _YEAR_DIGITS:
        if before.bare in words.words("numbers", "amounts"):
            return True
        is_read_out = _is_one_by_one([heard.token for heard in line[first:past]])
        if _is_year(digits) and not is_read_out and before.bare in words.words("numbers", "since"):
            return True
    if len(digits) > _SHORT:
        return False
    if before and before.bare == "the" and [h.token.bare for h in line[first:past]] == ["one"]:
        return True
    if before and not before.mark and before.bare in words.words("numbers", "clock"):
        return True
    if past == len(line) or line[past - 1].token.mark or line[past - 1].ends_turn:
        return False
    if sum(heard.token.size == 1 and bool(heard.token.digits) for heard in line[first:past]) > 1:
        # "Four seven", said digit by digit.
        return False
    after = line[past].token
    closes = after.bare in words.words("numbers", "closers") or after.sort is Sort.MEASURE
    return not closes
