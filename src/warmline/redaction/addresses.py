"""Addresses: house numbers with their streets, postcodes, and answers to questions for one."""

import re
from collections.abc import Iterator

from warmline.redaction.heard import Finding, Heard, Line, Said, after_leads
from warmline.redaction.people import is_capital, is_named
from warmline.redaction.tokens import Sort

_STREET_WORDS = 6
_HOUSE_DIGITS = 5
_MOST_OF_ADDRESS = 16
_ASKED_S = 20.0
_FIRST_WORDS = 6
_SHORTEST_PLACE = 3
_SURE_NAMES = 2
_NAMED = (Sort.WORD, Sort.ALPHABET, Sort.ACRONYM, Sort.MONTH)
_OF_CODES = (*(Sort.NUMBER, Sort.REPEAT, Sort.CODE, Sort.ACRONYM, Sort.LETTER, Sort.SPELLED),)
_POSTCODE = re.compile(
    r"[A-Z]{1,2}\d[A-Z\d]?\d[A-Z]{2}|[A-Z]\d[A-Z]\d[A-Z]\d|[A-Z]\d[\dW][A-Z\d]{4}"
)


def find_addresses(said: Said) -> Iterator[Finding]:
    """Yield house numbers with their streets, and what answers a question for an address."""
    value, told = 0, set[int]()
    premises = said.book.vocabulary.words("streets", "premises") - {"no", "number", "room"}
    for line, first, past in _addresses_told(said):
        places = tuple(heard.place for heard in line[first:past])
        told.update(places)
        yield Finding("address", line[0].word.party, places, value)
        value += 1
    for line in said.lines:
        at = 0
        while at < len(line):
            end = None
            if line[at].place not in told:
                end = _box(line, at) or _street(line, at) or _premises(line, at)
            if end is None:
                at += 1
                continue
            first, at = at, _rest_of_address(line, end)
            while first and line[first - 1].token.bare in premises:
                first -= 1
            places = tuple(heard.place for heard in line[first:at])
            yield Finding("address", line[0].word.party, places, value)
            value += 1
        for first, past in _postcodes(line):
            yield Finding(
                "address", line[0].word.party, tuple(h.place for h in line[first:past]), value
            )
            value += 1


def _street(line: Line, first: int) -> int | None:
    """Return where the street ends whose house number begins here; None when there is none."""
    past, digits = first, 0
    while past < len(line) and line[past].token.sort in (Sort.NUMBER, Sort.CODE):
        digits += len(line[past].token.digits)
        past += 1
    if past == first or digits > _HOUSE_DIGITS:
        return None
    for at in range(past, min(past + _STREET_WORDS, len(line))):
        token = line[at].token
        if at > past and ends_street(line[at]):
            if _is_talk(line, past, at):
                return None
            is_double = at + 1 < len(line) and ends_street(line[at + 1])
            return at + 2 if is_double else at + 1
        if token.bare in line[0].words("streets", "breaks") or token.bare in line[0].words(
            "numbers", "units"
        ):
            return None
        if token.sort is Sort.WORD and token.mark in tuple(",.?!;"):
            return None
    return None


def ends_street(heard: Heard) -> bool:
    """Return whether a word may be the last of a street's name."""
    token = heard.token
    is_capital_end = token.is_upper and token.bare in heard.words("streets", "capitals")
    return is_capital_end or token.bare in heard.words("streets", "ends")


def _is_talk(line: Line, first: int, last: int) -> bool:
    """Return whether it is no street: "2 shops close", "90 square metres"."""
    if line[last].token.is_upper or line[last].token.bare not in line[0].words("streets", "common"):
        return False
    following = line[last + 1].token.bare if last + 1 < len(line) else ""
    counted = line[first].token
    is_plural = counted.bare.endswith("s") and not counted.is_upper
    return is_plural or following in line[0].words("streets", "areas")


def _box(line: Line, first: int) -> int | None:
    """Return the end of the number of a post-office box that begins here: "P.O. Box 1146"."""
    bare = [heard.token.bare for heard in line[first : first + 3]]
    boxes = line[0].words("streets", "boxes")
    named = [size for size in (3, 2) if " ".join(bare[:size]) in boxes]
    at = past = first + named[0] if named else first
    while named and at < len(line) and line[at].token.sort in _OF_CODES:
        past = at = at + 1
        if line[at - 1].token.mark or line[at - 1].ends_turn:
            break
    return past if named and past > first + named[0] else None


def _premises(line: Line, first: int) -> int | None:
    """Where "House number 112, second floor, 4th Cross, ..." goes on after its number, or None."""
    if line[first].token.bare not in line[0].words("streets", "numbered"):
        return None
    at = first + 1
    while at < len(line) and line[at].token.bare in ("number", "no"):
        at += 1
    if at >= len(line) or line[at].token.sort not in (Sort.NUMBER, Sort.CODE):
        return None
    end = _rest_of_address(line, at + 1)
    names = sum(h.token.is_upper and h.token.sort in _NAMED for h in line[at + 1 : end])
    return at + 1 if names >= _SURE_NAMES else None


def _rest_of_address(line: Line, past: int) -> int:
    """Return the end of an address after its street: towns in capitals, codes."""
    inside = line[0].words("streets", "inside")
    at, end = past, past
    while at < len(line) and at - past < _MOST_OF_ADDRESS and not line[at - 1].ends_turn:
        if line[at - 1].token.mark in tuple("?!."):
            break
        token = line[at].token
        is_code = token.sort in _OF_CODES
        if is_code or (token.is_upper and token.sort in _NAMED) or ends_street(line[at]):
            end = at + 1
        elif (
            token.bare not in inside
            and token.bare not in ("in", "is")
            and token.sort is not Sort.ORDINAL
        ):
            break
        at += 1
    return end


def _postcodes(line: Line) -> Iterator[tuple[int, int]]:
    """Yield postcodes of Britain, Ireland and Canada that are typed as two words."""
    for at in range(len(line) - 1):
        said = line[at : at + 2]
        is_typed = all(h.token.sort in (Sort.CODE, Sort.ACRONYM) for h in said)
        is_upper = all(h.word.text.upper() == h.word.text for h in said)
        if is_typed and is_upper and _POSTCODE.fullmatch("".join(h.token.chars for h in said)):
            yield at, at + 2


def _addresses_told(said: Said) -> Iterator[tuple[Line, int, int]]:
    """Yield addresses that were asked for, or said after "I live at"."""
    for line, first, past in said.answers_to("address", _ASKED_S):
        if span := _address(line, first, past):
            yield line, *span
    for label in said.labels:
        if label.form is None or label.form.kind != "address" or label.form.most:
            continue
        line, first = label.line, label.past
        if label.ends_turn:
            continue
        past = first
        while past < len(line) and not line[past - 1].ends_turn:
            past += 1
        if (span := _address(line, first, past)) and _looks_like_place(line[slice(*span)]):
            yield line, *span


def _looks_like_place(said: Line) -> bool:
    """Return whether a street, or two names, are among the words."""
    ends = said[0].words("streets", "ends") | said[0].words("streets", "premises")
    is_street = any(heard.token.bare in ends for heard in said[1:]) or said[0].token.bare in ends
    return is_street or sum(is_named(heard) for heard in said) >= 2


def _address(line: Line, first: int, past: int) -> tuple[int, int] | None:
    """Return the address in a turn: from its first number, or name before it, on."""
    premises = line[0].words("streets", "premises")
    refusals = line[0].words("answers", "refusals") - {"no"}
    if any(heard.token.bare in refusals for heard in line[first : min(past, first + 4)]):
        return None
    begin = after_leads(line, first, past)
    starts = [
        at
        for at in range(begin, min(past, begin + _FIRST_WORDS))
        if line[at].token.sort in (Sort.NUMBER, Sort.CODE) or line[at].token.bare in premises
    ]
    if not starts:
        return _named_house(line, begin, past)
    start = starts[0]
    has_number = any(h.token.digits for h in line[start : start + _FIRST_WORDS])
    if not has_number or _is_counting(line, start, past):
        return None
    while start > begin and is_capital(line[start - 1]):
        start -= 1
    end = start + 1
    breaks = line[0].words("answers", "ends") - {"and", "all"}
    while end < past and end - start < _MOST_OF_ADDRESS + 4:
        token = line[end].token
        if line[end - 1].token.mark in tuple("?!") or (
            line[end - 1].token.mark == "."
            and (not token.is_upper or token.bare in line[0].words("names", "breaks"))
        ):
            break
        goes_on = token.bare == "in" and end + 1 < past and line[end + 1].token.is_upper
        if (token.bare in breaks and not goes_on) or token.sort is Sort.HIDDEN:
            break
        end += 1
    return start, end


def _named_house(line: Line, begin: int, past: int) -> tuple[int, int] | None:
    """Return an address without a number: "The Old Rectory, Church Lane, Topsham"."""
    houses = line[0].words("streets", "houses") | line[0].words("streets", "ends")
    end = begin
    while end < past and (line[end].token.is_upper or line[end].token.bare in ("of", "on", "the")):
        end += 1
    first = begin - 1 if begin and line[begin - 1].token.bare == "the" else begin
    is_place = any(heard.token.bare in houses for heard in line[begin:end])
    return (first, end) if is_place and end - begin > _SHORTEST_PLACE else None


def _is_counting(line: Line, start: int, past: int) -> bool:
    units = line[0].words("numbers", "units")
    inside = line[0].words("streets", "inside")
    following = [heard.token.bare for heard in line[start + 1 : min(past, start + 3)]]
    return any(word in units and word not in inside for word in following)
