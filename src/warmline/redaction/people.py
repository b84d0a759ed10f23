"""Names and addresses, by cautious rules: what says of itself that it is one."""

from collections.abc import Iterator

from warmline.redaction.book import word_list
from warmline.redaction.checks import is_iban
from warmline.redaction.emails import spelled_words
from warmline.redaction.heard import Finding, Heard, Line, Said
from warmline.redaction.tokens import Sort

_MOST_NAMES = 2
_ASKED_S = 15.0
_SHORTEST_AGAIN = 3
_STREET_WORDS = 6
_HOUSE_DIGITS = 5
_IBAN_WORDS = 12


def find_names(said: Said) -> Iterator[Finding]:
    """Names by which people introduce themselves or that they spell, wherever they are said."""
    known: dict[str, int] = {}
    for line in said.lines:
        for first, past in (*_introduced(line), *_spelled(line, said)):
            value = len(known)
            for heard in line[first:past]:
                if len(heard.token.bare) >= _SHORTEST_AGAIN and heard.token.sort is Sort.WORD:
                    known.setdefault(_own(heard.token.bare), value)
            places = tuple(heard.place for heard in line[first:past])
            yield Finding("name", line[0].word.party, places, value)
    for line in said.lines:
        for heard in line:
            value = known.get(_own(heard.token.bare), -1)
            if value >= 0:
                yield Finding("name", heard.word.party, (heard.place,), value)


def find_addresses(said: Said) -> Iterator[Finding]:
    """House numbers with their streets; zip codes that were asked for are numbers."""
    value = 0
    for line in said.lines:
        at = 0
        while at < len(line):
            past = _street(line, at)
            if past is None:
                at += 1
                continue
            places = tuple(heard.place for heard in line[at:past])
            yield Finding("address", line[0].word.party, places, value)
            value, at = value + 1, past


def find_ibans(said: Said) -> Iterator[Finding]:
    """International bank account numbers that are typed, together or in groups."""
    value = 0
    for line in said.lines:
        for at, heard in enumerate(line):
            bare = heard.token.bare
            if not (bare[:2].isalpha() and bare[2:4].isdigit() and bare.isalnum()):
                continue
            for past in range(min(at + _IBAN_WORDS, len(line)), at, -1):
                if is_iban("".join(h.token.bare for h in line[at:past])):
                    places = tuple(h.place for h in line[at:past])
                    yield Finding("iban", line[0].word.party, places, value)
                    value += 1
                    break


def _introduced(line: Line) -> Iterator[tuple[int, int]]:
    bare = [heard.token.bare for heard in line]
    for at in range(1, len(bare)):
        is_opening = bare[at - 1 : at + 1] == ["name", "is"] and bare[at - 2 : at - 1] == ["my"]
        if not (is_opening or bare[at - 1 : at + 1] == ["my", "name's"]):
            continue
        past = at + 1
        while past < len(bare) and past - at <= _MOST_NAMES and _may_be_name(line[past]):
            past += 1
        if past > at + 1:
            yield at + 1, past


def _spelled(line: Line, said: Said) -> Iterator[tuple[int, int]]:
    """What is spelled after a name was asked for, with the name itself just before it."""
    for first, past in spelled_words(line):
        if not said.has_announced("name", line[first].word.start_s, _ASKED_S):
            continue
        while first and _may_be_name(line[first - 1]):
            first -= 1
        yield first, past


def _may_be_name(heard: Heard) -> bool:
    return heard.token.sort is Sort.WORD and heard.token.bare not in word_list("names", "breaks")


def _own(bare: str) -> str:
    return bare.removesuffix("'s")


def _street(line: Line, first: int) -> int | None:
    """Where the street ends whose house number begins here; None when there is none."""
    past, digits = first, 0
    while past < len(line) and line[past].token.sort is Sort.NUMBER:
        digits += len(line[past].token.digits)
        past += 1
    if past == first or digits > _HOUSE_DIGITS:
        return None
    ends = word_list("streets", "ends")
    for at in range(past, min(past + _STREET_WORDS, len(line))):
        bare = line[at].token.bare
        if bare in ends and at > past:
            is_double = at + 1 < len(line) and line[at + 1].token.bare in ends
            return at + 2 if is_double else at + 1
        if bare in word_list("streets", "breaks") or bare in word_list("numbers", "units"):
            return None
    return None
