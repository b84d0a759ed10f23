"""Words as one looks at them for numbers: what digits they stand for, and how they are joined."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from warmline.phrases import placeholder
from warmline.redaction.book import names_for_numbers

_EDGES = "\"'“”‘’()[]{}<>.,;:!?…—–-"
_MONEY = re.compile(r"[$£€¥%]")
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+\.\d{1,2}")
_CLOCK = re.compile(r"\d{1,2}(:\d{2})+([ap]\.?m\.?)?|\d{1,2}[ap]\.?m\.?")
_DATE = re.compile(
    r"\d{1,2}[/.-]\d{1,2}[/.-](19|20)\d{2}|(19|20)\d{2}[/.-]\d{2}[/.-]\d{2}|\d{1,2}/\d{1,2}/\d{2}"
)
_TYPED = re.compile(r"\+?\(?\d[\d\s().,/+\-]*")
_ORDINAL = re.compile(r"(\d{1,2})(st|nd|rd|th)")
_CODE = re.compile(r"(?=(?:.*\d){4})[a-z0-9-]+")
_SPELLED = re.compile(r"[a-z](-[a-z])+-?")


#: Sizes that matter where words are put together.
TENS, MAGNITUDE = 20, 3


class Sort(Enum):
    """What a word is in a number."""

    NUMBER = "number"
    REPEAT = "repeat"
    ORDINAL = "ordinal"
    MONTH = "month"
    HOMOPHONE = "homophone"
    LINK = "link"
    MEASURE = "measure"
    SPELLED = "spelled"
    HIDDEN = "hidden"
    WORD = "word"


@dataclass(frozen=True)
class Token:
    """One word: `bare` is lower case without marks; `digits` what it stands for by itself.

    `shape` has the lengths of groups typed with signs between; `size` is 1 for a digit, 2 for a
    number up to 19, `TENS` for one of the tens, `MAGNITUDE` for hundred, thousand, million.
    """

    bare: str
    sort: Sort
    digits: str = ""
    shape: tuple[int, ...] = ()
    size: int = 0
    is_date: bool = False

    @property
    def is_numeric(self) -> bool:
        """Whether a number can begin or end with it."""
        return self.sort in (Sort.NUMBER, Sort.ORDINAL, Sort.MONTH)


@lru_cache(maxsize=1 << 14)
def token(text: str) -> Token:
    """The token of one word."""
    if hidden := placeholder(text):
        return Token(hidden, Sort.HIDDEN)
    whole = text.strip().lower().replace("’", "'")
    bare = whole.strip(_EDGES)
    if _MONEY.search(whole) or _GROUPED.fullmatch(bare) or _CLOCK.fullmatch(bare):
        return Token(bare, Sort.MEASURE)
    return _named(bare) or _typed(bare) or _hyphened(bare) or Token(bare, Sort.WORD)


def digits_of(tokens: Sequence[Token]) -> str:
    """The digits that these words stand for together: "forty one" is 41, "double five" 55."""
    digits, times, after_tens = "", 1, False
    for t in tokens:
        if t.sort is Sort.REPEAT:
            times = t.size
        elif t.digits:
            joins = after_tens and t.size == 1 and t.digits != "0"
            digits = (digits[:-1] if joins else digits) + t.digits * times
            times, after_tens = 1, t.size == TENS
    return digits


def _named(bare: str) -> Token | None:
    tables = names_for_numbers()
    for name, size in (("digits", 1), ("teens", 2), ("tens", TENS)):
        if bare in tables[name]:
            return Token(bare, Sort.NUMBER, tables[name][bare], size=size)
    if bare in tables["magnitudes"]:
        return Token(bare, Sort.NUMBER, "0" * tables["magnitudes"][bare], size=MAGNITUDE)
    if bare in tables["repeats"]:
        return Token(bare, Sort.REPEAT, size=tables["repeats"][bare])
    if bare in tables["homophones"]:
        return Token(bare, Sort.HOMOPHONE, tables["homophones"][bare], size=1)
    if bare in tables["ordinals"]:
        return Token(bare, Sort.ORDINAL, tables["ordinals"][bare], size=1)
    if bare in tables["months"]:
        return Token(bare, Sort.MONTH)
    return Token(bare, Sort.LINK) if bare in tables["links"] or not bare else None


def _typed(bare: str) -> Token | None:
    if found := _ORDINAL.fullmatch(bare):
        return Token(bare, Sort.ORDINAL, found.group(1), size=2)
    if _TYPED.fullmatch(bare) or _CODE.fullmatch(bare):
        groups = re.findall(r"\d+", bare)
        is_date = _DATE.fullmatch(bare) is not None
        shape = tuple(map(len, groups))
        return Token(bare, Sort.NUMBER, "".join(groups), shape, 0, is_date)
    return None


def _hyphened(bare: str) -> Token | None:
    """ "forty-one", "four-one-one" and "B-R-O-W-N"."""
    if _SPELLED.fullmatch(bare):
        return Token(bare, Sort.SPELLED)
    parts = [_named(part) or _typed(part) for part in bare.split("-")]
    known = [p for p in parts if p and p.sort in (Sort.NUMBER, Sort.ORDINAL, Sort.REPEAT)]
    if len(parts) < 2 or len(known) < len(parts):
        return None
    sort = Sort.ORDINAL if known[-1].sort is Sort.ORDINAL else Sort.NUMBER
    return Token(bare, sort, digits_of(known), size=2)
