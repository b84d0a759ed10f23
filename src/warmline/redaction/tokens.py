"""Words as one looks at them for values: which digits and letters they stand for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache

from warmline.phrases import placeholder
from warmline.phrases.spoken import ENGLISH
from warmline.redaction.book import Vocabulary, vocabulary

_EDGES = "\"'“”‘’()[]{}<>.,;:!?…—–-#*+"
_MONEY = re.compile(r"[$£€¥₹%]")
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?|\d+\.\d{1,2}|\d{2},\d{2}")
_CLOCK = re.compile(r"\d{1,4}(:\d{1,4})+")
# As most of Europe writes amounts: "1.234,50", "89,9".
_GROUPED_BY_DOTS = re.compile(r"\d{1,3}(\.\d{3})+(,\d+)?|\d+,\d{1,2}|\d+\.\d{1,2}")
_HOURS = re.compile(r"\d{1,2}([:.]\d{2})*[ap]\.?m\.?|\d{1,2}(h|uhr|u)(\d{2})?")
_DATE = re.compile(
    r"\d{1,2}[/.-]\d{1,2}[/.-](19|20)\d{2}|(19|20)\d{2}[/.-]\d{2}[/.-]\d{2}|\d{1,2}/\d{1,2}/\d{2}"
)
_TYPED = re.compile(r"\+?\(?\d[\d\s().,/+\-]*")
_ORDINAL = re.compile(r"(\d{1,2})(st|nd|rd|th|er|ère|º|ª|°)")
_CODE = re.compile(r"(?=.*\d)(?=.*[a-z])[a-z0-9]+([-/][a-z0-9]+)*")
# Sizes of tyres: "225/65R17s".
_TYRE = re.compile(r"\d{3}/\d{2}(z?r\d{2}[a-z]?s?)?")
# "30-day", "1-month": how many of something.
_COUNTED = re.compile(r"\d{1,4}-[a-z]{3,}")
_SPELLED = re.compile(r"[a-z](-[a-z])+|[a-z](\.[a-z])+")
_ACRONYM = re.compile(r"[A-Z]{2,8}")
_FILLERS = frozenset({"hm", "mm", "er", "ah", "ext", "äh", "öh", "eh", "euh"})
# Words of their own where they stand alone.
_ACCENTED = "èéàùìòêâó"
_MASK = re.compile(r"[x*•]{2,}")
_CODE_DIGITS = 4
# "All eights": as many as the longest part that is asked for by itself.
_ALL_OF_IT = 6
_IPV4_PARTS, _BYTE_DIGITS, _LARGEST_BYTE = 4, 3, 255

#: Sizes that matter where words are put together.
TENS, HUNDREDS, MAGNITUDE = 20, 100, 1000
_HUNDRED, _THOUSAND = 100, 1000
_SCORES, _BELOW_TEN, _BELOW_TWENTY = 4, 9, 19


class Sort(Enum):
    """The part that a word plays in a value."""

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
    `TENS` for one of the tens, `HUNDREDS` for one of the hundreds that are one word ("doscientos"),
    `MAGNITUDE` for hundred, thousand, million. `takes` is how large a number may be that makes
    one with it when it follows ("forty one", "soixante dix"); `is_joint` says that it may stand
    between the two ("treinta y uno"), `joins_back` that the smaller may be the first ("vier und
    zwanzig"), `is_alone` that hundred is one hundred by itself ("cent
    vingt"), `is_score` that four before it make eighty, `is_named` that "is" follows in
    the same word. A MEASURE looks like an amount or a time,
    but its digits may be something else; `is_amount` says that it has cents or a sign of percent.
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
    takes: int = 0
    is_joint: bool = False
    joins_back: bool = False
    is_alone: bool = False
    is_score: bool = False
    is_named: bool = False

    @property
    def is_numeric(self) -> bool:
        """Return whether a number can begin or end with it."""
        return self.sort is Sort.NUMBER or (
            self.sort is Sort.CODE and len(self.digits) >= _CODE_DIGITS
        )


@lru_cache(maxsize=1 << 14)
def token(text: str, language: str = ENGLISH) -> Token:
    """Return the token of one word of a language."""
    if hidden := placeholder(text):
        return Token(hidden, Sort.HIDDEN)
    raw = text.strip().replace("’", "'")
    bare = raw.lower().strip(_EDGES)
    mark = raw[-1] if raw[-1:] in tuple(".?!,;:") else ""
    found = _read(raw, bare, vocabulary(language))
    is_upper = raw.strip(_EDGES)[:1].isupper()
    chars = found.chars or found.digits
    return replace(found, bare=bare, chars=chars, mark=mark, is_upper=is_upper)


def _read(raw: str, bare: str, words: Vocabulary) -> Token:
    if _HOURS.fullmatch(bare) or _TYRE.fullmatch(bare):
        return Token(bare, Sort.WORD)
    is_money = _MONEY.search(raw) is not None
    grouped = _GROUPED if words.code == ENGLISH else _GROUPED_BY_DOTS
    if is_money or grouped.fullmatch(bare) or _CLOCK.fullmatch(bare):
        digits = "".join(re.findall(r"\d", bare))
        is_amount = "%" in raw or (is_money and re.search(r"[.,]\d{2}(?!\d)", bare) is not None)
        groups = tuple(map(len, re.findall(r"\d+", bare)))
        return Token(bare, Sort.MEASURE, digits, shape=groups, is_amount=is_amount)
    if _ACRONYM.fullmatch(raw.strip(_EDGES)) and bare in _FILLERS:
        return Token(bare, Sort.ACRONYM, chars=bare.upper())
    return (
        _named_letter(raw, bare, words)
        or _named(bare, words)
        or _typed(bare)
        or _hyphened(bare, words)
        or _lettered(raw, bare, words)
        or _before_is(bare, words)
        or Token(bare, Sort.WORD)
    )


def _before_is(bare: str, words: Vocabulary) -> Token | None:
    """A number that "is" was drawn to: "seventy-two's the sort code"; not "one's", "1990's"."""
    stem = bare.removesuffix("'s")
    if words.code != ENGLISH or stem == bare or stem.isdigit():
        return None
    found = _hyphened(stem, words)
    return replace(found, is_named=True) if found and found.sort is Sort.NUMBER else None


def _named_letter(raw: str, bare: str, words: Vocabulary) -> Token | None:
    """A letter that is written with a capital, where the same in small is a word: "E", "Y"."""
    is_one = len(bare) == 1 and raw.strip(_EDGES) == bare.upper() and bare.isalpha()
    return _letter(bare) if is_one and bare in words.words("numbers", "links") else None


def is_ipv4(parts: Sequence[str]) -> bool:
    """Return whether these are the four parts of an IPv4 address."""
    return len(parts) == _IPV4_PARTS and all(
        part.isdigit() and str(int(part)) == part and int(part) <= _LARGEST_BYTE for part in parts
    )


def digits_of(tokens: Sequence[Token]) -> str:
    """Return the digits that words stand for together: "forty one" is 41, "double five" 55."""
    return "".join(char for char in chars_of(tokens) if char.isdigit())


def chars_of(tokens: Sequence[Token]) -> str:
    """Return the digits and letters that words stand for: "A, double five, F" is A55F."""
    found, times, after_tens, at = "", 1, 0, 0
    while at < len(tokens):
        t = tokens[at]
        if times_over(tokens[at : at + 3]):
            found, at = found + tokens[at + 2].digits * int(t.digits), at + 3
            continue
        cardinal, past = _cardinal(tokens, at)
        if past > at:
            found, at, times, after_tens = found + cardinal * times, past, 1, 0
            continue
        pair, past = _joined(tokens, at)
        if past > at:
            found, at, times, after_tens = found + str(pair) * times, past, 1, 0
            continue
        if t.sort is Sort.REPEAT:
            times, after_tens = t.size, 0
        elif t.sort is Sort.PLURAL and at and tokens[at - 1].bare == "all":
            found += t.digits * _ALL_OF_IT
        elif t.sort is Sort.PLURAL:
            count = int(found[-1]) if found[-1:].isdigit() else 1
            found = (found[:-1] if found[-1:].isdigit() else found) + t.digits * max(count, 1)
        elif chars := t.chars or t.digits:
            joins = after_tens and t.size == 1 and t.digits not in ("", "0")
            found = (found[:-1] if joins else found) + chars * times
            times, after_tens = 1, t.takes
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
    if _power(tokens, first) >= _THOUSAND and tokens[first].is_alone:
        total, at, power = _power(tokens, first), first + 1, _power(tokens, first)
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
    if at < len(tokens) and tokens[at].size == HUNDREDS:
        hundreds, past = int(tokens[at].digits), at + 1
    elif _power(tokens, at) == _HUNDRED and tokens[at].is_alone:
        hundreds, past = _HUNDRED, at + 1
    elif past == at or _power(tokens, past) != _HUNDRED:
        return head, past
    else:
        hundreds, past = head * _HUNDRED, past + 1
    begin = _after_and(tokens, past)
    rest, end = _below_hundred(tokens, begin)
    if end > begin and not _goes_on(tokens, end):
        return hundreds + rest, end
    return hundreds, past


def _power(tokens: Sequence[Token], at: int) -> int:
    is_one = at < len(tokens) and tokens[at].size == MAGNITUDE
    return 10 ** len(tokens[at].digits) if is_one else 0


def _after_and(tokens: Sequence[Token], at: int) -> int:
    return at + 1 if at < len(tokens) and tokens[at].is_joint else at


def _goes_on(tokens: Sequence[Token], past: int) -> bool:
    """Return whether single digits follow a digit: "eight hundred five five five" is no 805."""
    return tokens[past - 1].size == 1 and past < len(tokens) and tokens[past].size == 1


def _below_hundred(tokens: Sequence[Token], at: int) -> tuple[int, int]:
    if (
        at >= len(tokens)
        or tokens[at].sort is not Sort.NUMBER
        or len(tokens[at].digits) not in (1, 2)
    ):
        return 0, at
    joined, past = _joined(tokens, at)
    if past > at:
        return joined, past
    t = tokens[at]
    if t.takes and at + 1 < len(tokens):
        unit = tokens[at + 1]
        if unit.sort is Sort.NUMBER and unit.size == 1 and unit.digits != "0":
            return int(t.digits) + int(unit.digits), at + 2
    return int(t.digits), at + 1


def _joined(tokens: Sequence[Token], at: int) -> tuple[int, int]:
    """A number below a hundred that is said in words which make one only together; none: `at`.

    Not "forty one", in which a filler may stand.
    """
    first = tokens[at]
    if first.sort is not Sort.NUMBER or not first.size or first.size > TENS or not first.digits:
        return 0, at
    value, past = int(first.digits), at + 1
    is_eighty = value == _SCORES and past < len(tokens) and tokens[past].is_score
    takes = first.takes
    if is_eighty:
        value, past, takes = _SCORES * TENS, past + 1, _BELOW_TWENTY
    joint = past < len(tokens) and tokens[past].is_joint
    other = _spoken_number(tokens, past + joint)
    is_back = joint and tokens[past].joins_back
    if is_back and first.size == 1 and first.digits > "0" and other and other.size == TENS:
        return int(other.digits) + value, past + 2  # "vier und zwanzig"
    if first.size == 2 and takes and other and other.size == 1 and other.digits > "6":
        return value + int(other.digits), past + 1  # "dix sept"
    if first.size != TENS and not is_eighty:
        return 0, at
    limit = max(takes, _BELOW_TEN) if joint else takes if takes > _BELOW_TEN else 0
    if other and 0 < int(other.digits) <= limit and other.size < TENS:
        value, past = value + int(other.digits), past + joint + 1
        unit = _spoken_number(tokens, past)
        if other.digits == "10" and unit and unit.size == 1 and unit.digits > "6":
            return value + int(unit.digits), past + 1  # "soixante dix sept"
        return value, past
    return (value, past) if is_eighty else (0, at)


def _spoken_number(tokens: Sequence[Token], at: int) -> Token | None:
    is_one = at < len(tokens) and tokens[at].sort is Sort.NUMBER and 0 < tokens[at].size <= TENS
    return tokens[at] if is_one else None


def _named(bare: str, words: Vocabulary) -> Token | None:
    for name, size in (("digits", 1), ("teens", 2), ("hundreds", HUNDREDS)):
        if bare in words.numbers(name):
            digits = words.numbers(name)[bare]
            takes = _BELOW_TEN if size == 2 and digits in words.words("numbers", "wide") else 0
            return Token(bare, Sort.NUMBER, digits, size=size, takes=takes)
    if bare in words.numbers("tens"):
        digits = words.numbers("tens")[bare]
        takes = _BELOW_TWENTY if digits in words.words("numbers", "wide") else _BELOW_TEN
        if words.numbers("tens_need_joint"):
            takes = 0
        is_score = bare in words.words("numbers", "scores")
        return Token(bare, Sort.NUMBER, digits, size=TENS, takes=takes, is_score=is_score)
    if bare in words.numbers("magnitudes"):
        zeros = "0" * words.numbers("magnitudes")[bare]
        is_alone = words.code != ENGLISH
        return Token(bare, Sort.NUMBER, zeros, size=MAGNITUDE, is_alone=is_alone)
    if bare in words.numbers("repeats"):
        return Token(bare, Sort.REPEAT, size=words.numbers("repeats")[bare])
    if bare in words.numbers("plurals"):
        return Token(bare, Sort.PLURAL, words.numbers("plurals")[bare], size=1)
    if bare in words.numbers("homophones"):
        return Token(bare, Sort.HOMOPHONE, words.numbers("homophones")[bare], size=1)
    return _named_in_date(bare, words)


def _named_in_date(bare: str, words: Vocabulary) -> Token | None:
    if bare in words.numbers("ordinals"):
        return Token(bare, Sort.ORDINAL, words.numbers("ordinals")[bare], size=1)
    if bare in words.numbers("months"):
        return Token(bare, Sort.MONTH, chars="N" if bare == "november" else "")
    if bare in words.numbers("links") or not bare:
        joins_back = bare in words.numbers("compounds").get("joints", ())
        is_joint = joins_back or bare in words.numbers("joints")
        return Token(bare, Sort.LINK, is_joint=is_joint, joins_back=joins_back)
    if (number := words.compound(bare)) is not None:
        # "tweeduizend negentien", "dreihundert fünf": the rest may be a word of its own.
        return Token(bare, Sort.NUMBER, str(number), size=2 if number % 100 else HUNDREDS)
    if (number := words.ordinal(bare)) is not None:
        return Token(bare, Sort.ORDINAL, str(number), size=1)
    return None


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


def _hyphened(bare: str, words: Vocabulary) -> Token | None:
    """ "forty-one", "four-one-one", "double-oh", "A-B-four-one"."""
    if _SPELLED.fullmatch(bare):
        return None
    parts = [_named(part, words) or _typed(part) or _letter(part) for part in bare.split("-")]
    sorts = (Sort.NUMBER, Sort.ORDINAL, Sort.REPEAT, Sort.LETTER)
    parts = [p and (replace(p, sort=Sort.NUMBER) if p.is_joint else p) for p in parts]
    known = [p for p in parts if p and p.sort in sorts]
    if len(parts) < 2 or len(known) < len(parts) or all(p.sort is Sort.LETTER for p in known):
        return None
    if any(p.sort is Sort.LETTER for p in known):
        return Token(bare, Sort.CODE, digits_of(known), chars_of(known))
    sort = Sort.ORDINAL if known[-1].sort is Sort.ORDINAL else Sort.NUMBER
    digits = digits_of(known)
    if digits in words.words("numbers", "wide"):  # "quatre-vingt dix-sept"
        return Token(bare, sort, digits, size=TENS, takes=_BELOW_TWENTY)
    return Token(bare, sort, digits, size=2)


def _letter(bare: str) -> Token | None:
    is_letter = len(bare) == 1 and bare.isalpha() and bare not in _ACCENTED
    return Token(bare, Sort.LETTER, chars=bare.upper()) if is_letter else None


def _lettered(raw: str, bare: str, words: Vocabulary) -> Token | None:
    """Return letters and codes: "B-R-O-W-N", "NWBK", "ab12", "x-ray", "b"."""
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
    if bare in words.words("spelling", "alphabet"):
        return Token(bare, Sort.ALPHABET, chars=words.letters.get(bare, bare[0].upper()))
    if bare in words.letters:
        return Token(bare, Sort.SOUND, chars=words.letters[bare])
    if _ACRONYM.fullmatch(raw.strip(_EDGES)) and bare not in words.words("spelling", "no_letters"):
        return Token(bare, Sort.ACRONYM, chars=bare.upper())
    return None
