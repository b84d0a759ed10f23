"""Words as one looks at them for values: which digits and letters they stand for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from warmline.phrases import placeholder
from warmline.redaction.book import names_for_numbers

_EDGES = "\"'“”‘’()[]{}<>.,;:!?…—–-#*+"
_MONEY = re.compile(r"[$£€¥₹%]")
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+\.\d{1,2}|\d{2},\d{2}")
_CLOCK = re.compile(r"\d{1,4}(:\d{1,4})+")
_HOURS = re.compile(r"\d{1,2}([:.]\d{2})*[ap]\.?m\.?")
_DATE = re.compile(
    r"\d{1,2}[/.-]\d{1,2}[/.-](19|20)\d{2}|(19|20)\d{2}[/.-]\d{2}[/.-]\d{2}|\d{1,2}/\d{1,2}/\d{2}"
)
_TYPED = re.compile(r"\+?\(?\d[\d\s().,/+\-]*")
_ORDINAL = re.compile(r"(\d{1,2})(st|nd|rd|th)")
_CODE = re.compile(r"(?=.*\d)(?=.*[a-z])[a-z0-9]+([-/][a-z0-9]+)*")
# "30-day", "1-month": how many of something.
_COUNTED = re.compile(r"\d{1,4}-[a-z]{3,}")
_SPELLED = re.compile(r"[a-z](-[a-z])+|[a-z](\.[a-z])+")
_ACRONYM = re.compile(r"[A-Z]{2,8}")
_FILLERS = frozenset({"hm", "mm", "er", "ah", "ext"})
_MASK = re.compile(r"[x*•]{2,}")
_CODE_DIGITS = 4
# "All eights": as many as the longest part that is asked for by itself.
_ALL_OF_IT = 6
_IPV4_PARTS, _BYTE_DIGITS, _LARGEST_BYTE = 4, 3, 255

#: Sizes that matter where words are put together.
TENS, MAGNITUDE = 20, 1000
_HUNDRED, _THOUSAND = 100, 1000


class Sort(Enum):
    """What a word is in a value."""

    NUMBER = "number"
    REPEAT = "repeat"
    PLURAL = "plural"
    ORDINAL = "ordinal"
    MONTH = "month"
    HOMOPHONE = "homophone"
    LINK = "link"
    MEASURE = "measure"
    SPELLED = "spelled"
    LETTER = "letter"
    SOUND = "sound"
    ALPHABET = "alphabet"
    ACRONYM = "acronym"
    CODE = "code"
    MASK = "mask"
    HIDDEN = "hidden"
    WORD = "word"


@dataclass(frozen=True)
class Token:
    """One word: `bare` is lower case without marks; `digits` what it stands for by itself.

    `chars` has its letters, too, in upper case; `mark` the sign that ended it. `shape` has the
    lengths of groups typed with signs between; `size` is 1 for a digit, 2 for a number up to 19,
    `TENS` for one of the tens, `MAGNITUDE` for hundred, thousand, million. A MEASURE looks like an
    amount or a time, but its digits may be something else; `is_amount` says that it has cents or
    a sign of percent.
    """

    bare: str
    sort: Sort
    digits: str = ""
    chars: str = ""
    shape: tuple[int, ...] = ()
    size: int = 0
    is_date: bool = False
    is_amount: bool = False
    mark: str = ""
    is_upper: bool = False

    @property
    def is_numeric(self) -> bool:
        """Whether a number can begin or end with it."""
        return self.sort is Sort.NUMBER or (
            self.sort is Sort.CODE and len(self.digits) >= _CODE_DIGITS
        )


@lru_cache(maxsize=1 << 14)
def token(text: str) -> Token:
    """The token of one word."""
    if hidden := placeholder(text):
        return Token(hidden, Sort.HIDDEN)
    raw = text.strip().replace("’", "'")
    bare = raw.lower().strip(_EDGES)
    mark = raw[-1] if raw[-1:] in tuple(".?!,;:") else ""
    found = _read(raw, bare)
    is_upper = raw.strip(_EDGES)[:1].isupper()
    return Token(
        bare,
        found.sort,
        found.digits,
        found.chars or found.digits,
        found.shape,
        found.size,
        found.is_date,
        found.is_amount,
        mark,
        is_upper,
    )


def _read(raw: str, bare: str) -> Token:
    if _HOURS.fullmatch(bare):
        return Token(bare, Sort.WORD)
    is_money = _MONEY.search(raw) is not None
    if is_money or _GROUPED.fullmatch(bare) or _CLOCK.fullmatch(bare):
        digits = "".join(re.findall(r"\d", bare))
        is_amount = "%" in raw or (is_money and re.search(r"[.,]\d{2}$", bare) is not None)
        groups = tuple(map(len, re.findall(r"\d+", bare)))
        return Token(bare, Sort.MEASURE, digits, shape=groups, is_amount=is_amount)
    if _ACRONYM.fullmatch(raw.strip(_EDGES)) and bare in _FILLERS:
        return Token(bare, Sort.ACRONYM, chars=bare.upper())
    return (
        _named(bare)
        or _typed(bare)
        or _hyphened(bare)
        or _lettered(raw, bare)
        or Token(bare, Sort.WORD)
    )


def is_ipv4(parts: Sequence[str]) -> bool:
    """Return whether these are the four parts of an IPv4 address."""
    return len(parts) == _IPV4_PARTS and all(
        part.isdigit() and str(int(part)) == part and int(part) <= _LARGEST_BYTE for part in parts
    )


def digits_of(tokens: Sequence[Token]) -> str:
    """The digits that these words stand for together: "forty one" is 41, "double five" 55."""
    return "".join(char for char in chars_of(tokens) if char.isdigit())


def chars_of(tokens: Sequence[Token]) -> str:
    """The digits and letters that these words stand for together: "A, double five, F" is A55F."""
    found, times, after_tens, at = "", 1, False, 0
    while at < len(tokens):
        t = tokens[at]
        if times_over(tokens[at : at + 3]):
            found, at = found + tokens[at + 2].digits * int(t.digits), at + 3
            continue
        cardinal, past = _cardinal(tokens, at)
        if past > at:
            found, at, times, after_tens = found + cardinal * times, past, 1, False
            continue
        if t.sort is Sort.REPEAT:
            times = t.size
        elif t.sort is Sort.PLURAL and at and tokens[at - 1].bare == "all":
            found += t.digits * _ALL_OF_IT
        elif t.sort is Sort.PLURAL:
            count = int(found[-1]) if found[-1:].isdigit() else 1
            found = (found[:-1] if found[-1:].isdigit() else found) + t.digits * max(count, 1)
        elif chars := t.chars or t.digits:
            joins = after_tens and t.size == 1 and t.digits not in ("", "0")
            found = (found[:-1] if joins else found) + chars * times
            times, after_tens = 1, t.size == TENS
        at += 1
    return found


def times_over(tokens: Sequence[Token]) -> bool:
    """Return whether these three words say a digit several times: "three times zero"."""
    if len(tokens) < len(("three", "times", "zero")) or tokens[1].bare != "times":
        return False
    times, _, digit = tokens
    is_spoken = all(t.sort is Sort.NUMBER and len(t.digits) == 1 for t in (times, digit))
    return is_spoken and times.digits not in ("0", "1")


def _cardinal(tokens: Sequence[Token], first: int) -> tuple[str, int]:
    """A number said with hundred or thousand, in digits, and where it ends; no number: `first`."""
    total, at, power = 0, first, 0
    while True:
        group, past = _below_thousand(tokens, _after_and(tokens, at) if at > first else at)
        if past == at or (at > first and past == _after_and(tokens, at)):
            break
        here = _power(tokens, past)
        if here >= _THOUSAND and (not power or here < power):
            total, at, power = total + group * here, past + 1, here
            continue
        if (power or group >= _HUNDRED) and not _goes_on(tokens, past):
            total, at = total + group, past
        elif not power and _power(tokens, first + 1) == _HUNDRED:
            total, at = int(tokens[first].digits) * _HUNDRED, first + 2
        break
    return (str(total), at) if total else ("", first)


def _below_thousand(tokens: Sequence[Token], at: int) -> tuple[int, int]:
    head, past = _below_hundred(tokens, at)
    if past == at or _power(tokens, past) != _HUNDRED:
        return head, past
    begin = _after_and(tokens, past + 1)
    rest, end = _below_hundred(tokens, begin)
    if end > begin and not _goes_on(tokens, end):
        return head * _HUNDRED + rest, end
    return head * _HUNDRED, past + 1


def _power(tokens: Sequence[Token], at: int) -> int:
    is_one = at < len(tokens) and tokens[at].size == MAGNITUDE
    return 10 ** len(tokens[at].digits) if is_one else 0


def _after_and(tokens: Sequence[Token], at: int) -> int:
    return at + 1 if at < len(tokens) and tokens[at].bare == "and" else at


def _goes_on(tokens: Sequence[Token], past: int) -> bool:
    """Whether single digits go on after a digit: "eight hundred five five five" is no 805."""
    return tokens[past - 1].size == 1 and past < len(tokens) and tokens[past].size == 1


def _below_hundred(tokens: Sequence[Token], at: int) -> tuple[int, int]:
    if (
        at >= len(tokens)
        or tokens[at].sort is not Sort.NUMBER
        or len(tokens[at].digits) not in (1, 2)
    ):
        return 0, at
    t = tokens[at]
    if t.size == TENS and at + 1 < len(tokens):
        unit = tokens[at + 1]
        if unit.sort is Sort.NUMBER and unit.size == 1 and unit.digits != "0":
            return int(t.digits) + int(unit.digits), at + 2
    return int(t.digits), at + 1


def _named(bare: str) -> Token | None:
    tables = names_for_numbers()
    for name, size in (("digits", 1), ("teens", 2), ("tens", TENS)):
        if bare in tables[name]:
            return Token(bare, Sort.NUMBER, tables[name][bare], size=size)
    if bare in tables["magnitudes"]:
        return Token(bare, Sort.NUMBER, "0" * tables["magnitudes"][bare], size=MAGNITUDE)
    if bare in tables["repeats"]:
        return Token(bare, Sort.REPEAT, size=tables["repeats"][bare])
    if bare in tables["plurals"]:
        return Token(bare, Sort.PLURAL, tables["plurals"][bare], size=1)
    if bare in tables["homophones"]:
        return Token(bare, Sort.HOMOPHONE, tables["homophones"][bare], size=1)
    if bare in tables["ordinals"]:
        return Token(bare, Sort.ORDINAL, tables["ordinals"][bare], size=1)
    if bare in tables["months"]:
        return Token(bare, Sort.MONTH, chars="N" if bare == "november" else "")
    return Token(bare, Sort.LINK) if bare in tables["links"] or not bare else None


def _typed(bare: str) -> Token | None:
    if found := _ORDINAL.fullmatch(bare):
        return Token(bare, Sort.ORDINAL, found.group(1), size=2)
    if _TYPED.fullmatch(bare):
        groups = re.findall(r"\d+", bare)
        # "4.9.2.9" may be digits with marks between them.
        if max(map(len, groups)) == _BYTE_DIGITS and is_ipv4(bare.split(".")):
            return Token(bare, Sort.WORD)
        is_date = _DATE.fullmatch(bare) is not None
        shape = tuple(map(len, groups))
        return Token(bare, Sort.NUMBER, "".join(groups), "", shape, 0, is_date)
    return None


def _hyphened(bare: str) -> Token | None:
    """ "forty-one", "four-one-one", "double-oh", "A-B-four-one"."""
    if _SPELLED.fullmatch(bare):
        return None
    parts = [_named(part) or _typed(part) or _letter(part) for part in bare.split("-")]
    sorts = (Sort.NUMBER, Sort.ORDINAL, Sort.REPEAT, Sort.LETTER)
    known = [p for p in parts if p and p.sort in sorts]
    if len(parts) < 2 or len(known) < len(parts) or all(p.sort is Sort.LETTER for p in known):
        return None
    if any(p.sort is Sort.LETTER for p in known):
        return Token(bare, Sort.CODE, digits_of(known), chars_of(known))
    sort = Sort.ORDINAL if known[-1].sort is Sort.ORDINAL else Sort.NUMBER
    return Token(bare, sort, digits_of(known), size=2)


def _letter(bare: str) -> Token | None:
    is_letter = len(bare) == 1 and bare.isalpha()
    return Token(bare, Sort.LETTER, chars=bare.upper()) if is_letter else None


def _lettered(raw: str, bare: str) -> Token | None:
    """Letters and codes: "B-R-O-W-N", "NWBK", "ab12", "x-ray", "b"."""
    tables = names_for_numbers()
    if _MASK.fullmatch(bare):
        return Token(bare, Sort.MASK)
    if _SPELLED.fullmatch(bare) and bare not in ("a.m", "p.m"):
        return Token(bare, Sort.SPELLED, chars=re.sub(r"\W", "", bare).upper())
    if _CODE.fullmatch(bare) and not _COUNTED.fullmatch(bare):
        groups = tuple(map(len, re.findall(r"\d+", bare)))
        digits = "".join(re.findall(r"\d", bare))
        return Token(bare, Sort.CODE, digits, re.sub(r"\W", "", bare).upper(), groups)
    if letter := _letter(bare):
        return letter
    if bare in tables["alphabet"]:
        return Token(bare, Sort.ALPHABET, chars=tables["letter_sounds"].get(bare, bare[0].upper()))
    if bare in tables["letter_sounds"]:
        return Token(bare, Sort.SOUND, chars=tables["letter_sounds"][bare])
    if _ACRONYM.fullmatch(raw.strip(_EDGES)) and bare not in tables["no_letters"]:
        return Token(bare, Sort.ACRONYM, chars=bare.upper())
    return None
