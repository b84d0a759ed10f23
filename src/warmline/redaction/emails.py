"""E-mail addresses, typed or said: "pat dot brown at example dot org"."""

from collections.abc import Iterator

from warmline.redaction.book import word_list
from warmline.redaction.heard import Finding, Line, Said
from warmline.redaction.tokens import Sort

_MOST_BEFORE, _MOST_BETWEEN = 14, 4
_ANNOUNCED_S = 20.0
_SPELLED_LETTERS = 3


def find_emails(said: Said) -> Iterator[Finding]:
    """The e-mail addresses of a call; letters that spell one that was asked for among them."""
    value = 0
    for line in said.lines:
        for first, past in (*_typed(line), *_said(line), *_spelled(line, said)):
            places = tuple(heard.place for heard in line[first:past])
            yield Finding("email", line[0].word.party, places, value)
            value += 1


def _typed(line: Line) -> Iterator[tuple[int, int]]:
    for at, heard in enumerate(line):
        if "@" in heard.token.bare.strip("@"):
            yield at, at + 1


def _said(line: Line) -> Iterator[tuple[int, int]]:
    bare = [heard.token.bare for heard in line]
    for at, word in enumerate(bare):
        if word not in ("at", "@") or at == 0:
            continue
        past = _domain(bare, at + 1)
        first = _beginning(bare, at)
        if past is not None and first < at and not _is_site(bare, first):
            yield first, past


def _domain(bare: list[str], first: int) -> int | None:
    """Where the domain that begins here ends; None when none does."""
    ends = word_list("emails", "ends")
    found = None
    for at in range(first, min(first + _MOST_BETWEEN, len(bare))):
        word = bare[at]
        if "." in word and word.rpartition(".")[2] in ends:
            return at + 1
        if word == "dot" and at > first and at + 1 < len(bare) and bare[at + 1] in ends:
            found = at + 2
            break
    while found and found + 1 < len(bare) and bare[found] == "dot" and bare[found + 1] in ends:
        found += 2
    return found


def _beginning(bare: list[str], at: int) -> int:
    first = at
    while first > 0 and at - first < _MOST_BEFORE and _goes_before(bare, first - 1):
        first -= 1
    return first


def _goes_before(bare: list[str], place: int) -> bool:
    """Whether the word belongs to what stands before the "at"; "i" among letters is one of them."""
    beside = bare[max(0, place - 1) : place] + bare[place + 1 : place + 2]
    is_spelled = _is_letter(bare[place]) and any(_is_letter(word) for word in beside)
    is_hidden = bare[place].startswith("[")
    return is_spelled or not (is_hidden or bare[place] in word_list("emails", "before"))


def _is_site(bare: list[str], first: int) -> bool:
    sites = word_list("emails", "sites")
    return any(word in sites for word in bare[max(0, first - 4) : first + 1])


def _spelled(line: Line, said: Said) -> Iterator[tuple[int, int]]:
    for first, past in spelled_words(line):
        if said.has_announced("email", line[first].word.start_s, _ANNOUNCED_S):
            yield first, past


def spelled_words(line: Line) -> Iterator[tuple[int, int]]:
    """Where words are spelled: "B-R-O-W-N", "b r o w n", "b as in boy r o w n"."""
    at = 0
    while at < len(line):
        if line[at].token.sort is Sort.SPELLED:
            yield at, at + 1
            at += 1
            continue
        past, count, begun = at, 0, at
        while past < len(line) and _is_letter(line[past].token.bare):
            count += 1
            past += 1
            if [h.token.bare for h in line[past : past + 2]] == ["as", "in"]:
                past = min(past + 3, len(line))
        if count >= _SPELLED_LETTERS:
            yield begun, past
        at = max(past, at + 1)


def _is_letter(bare: str) -> bool:
    return len(bare) == 1 and bare.isalpha()
