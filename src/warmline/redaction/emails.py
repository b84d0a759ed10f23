"""E-mail addresses, typed or said: "pat dot brown at example dot org"."""

from collections.abc import Iterator

from warmline.phrases.spoken import ENGLISH
from warmline.redaction.heard import Finding, Heard, Line, Said
from warmline.redaction.runs import explanation
from warmline.redaction.tokens import Sort
from warmline.redaction.vocabulary import Vocabulary, vocabulary

_MOST_BEFORE, _MOST_BETWEEN = 24, 9
_ANNOUNCED_S = 30.0
_SPELLED_LETTERS = 3


def find_emails(said: Said) -> Iterator[Finding]:
    """Yield the e-mail addresses of a call, spelled ones that were asked for among them."""
    value = 0
    for line in said.lines:
        found = (*_typed(line), *_said(line, said), *_spelled(line, said), *_parts(line, said))
        for first, past in found:
            places = tuple(heard.place for heard in line[first:past])
            yield Finding("email", line[0].word.party, places, value)
            value += 1


def _typed(line: Line) -> Iterator[tuple[int, int]]:
    for at, heard in enumerate(line):
        if "@" in heard.token.bare.strip("@"):
            yield at, at + 1


def _said(line: Line, said: Said) -> Iterator[tuple[int, int]]:
    def is_asked(heard: Heard) -> bool:
        return said.has_announced("email", heard.word.start_s, _ANNOUNCED_S)

    bare = [heard.token.bare for heard in line]
    for at, word in enumerate(bare):
        if word not in line[0].words("emails", "ats") or at == 0:
            continue
        begins = at + 2 if bare[at + 1 : at + 2] == ["sign"] else at + 1
        past = _domain(bare, begins, line[0].vocabulary)
        first = _beginning(line, at)
        if past is not None and first < at and not _is_site(line, first):
            yield (_from_answer(line, at, first) if is_asked(line[at]) else first), past


def _from_answer(line: Line, at: int, first: int) -> int:
    """Return where an answer begins whose address has its "at" here: after what leads to it."""
    begin = at
    while begin > 0 and at - begin < _MOST_BEFORE and not line[begin - 1].ends_turn:
        if line[begin - 1].token.mark in tuple(".?!") or line[begin - 1].token.sort is Sort.HIDDEN:
            break
        begin -= 1
    leads, before = line[0].words("answers", "leads"), line[0].words("emails", "before")
    while begin < first and (line[begin].token.bare in leads or line[begin].token.bare in before):
        begin += 1
    has_talk = any(h.token.bare in h.words("emails", "talk") for h in line[begin:first])
    return first if has_talk else begin


def _domain(bare: list[str], first: int, words: Vocabulary) -> int | None:
    """Return where the domain that begins here ends; None when none does."""
    dots = words.words("emails", "dots")
    found = None
    for at in range(first, min(first + _MOST_BETWEEN, len(bare))):
        word = bare[at]
        if "." in word.strip(".") and _is_end(word.rpartition(".")[2]):
            return at + 1
        if word in dots and at > first and (end := _end_after(bare, at + 1, words)):
            found = end
            break
    while found and found < len(bare) and bare[found] in dots:
        end = _end_after(bare, found + 1, words)
        if end is None:
            break
        found = end
    return found


def _end_after(bare: list[str], at: int, words: Vocabulary) -> int | None:
    """Return where the end of a domain ends that begins here, spelled ("d e") or not."""
    for past in (at + 3, at + 2):
        letters = bare[at:past]
        if past <= len(bare) and all(map(_is_letter, letters)) and _is_end("".join(letters)):
            return past
    return at + 1 if at < len(bare) and _is_said_end(bare[at], words) else None


def _is_end(word: str) -> bool:
    ends = vocabulary(ENGLISH)  # the same everywhere
    last = word.rpartition(".")[2]
    return last in ends.words("emails", "ends") or last in ends.words("emails", "countries")


def _is_said_end(word: str, words: Vocabulary) -> bool:
    """Return whether a word may end a domain that is said: "de" is a word of its own in French."""
    return word in words.words("emails", "ends") or word in words.words("emails", "countries")


def _beginning(line: Line, at: int) -> int:
    """Return where what stands before the "at" begins."""
    first = at
    while first > 0 and at - first < _MOST_BEFORE and _goes_before(line, first - 1):
        first -= 1
        explained = max(
            (back for back in (3, 2) if _explains(line, first - back, first)), default=0
        )
        first -= explained
    begins_turn = first == 1 or (first > 1 and line[first - 2].ends_turn)
    return first - 1 if begins_turn and line[first - 1].token.bare == "the" else first


def _explains(line: Line, first: int, last: int) -> bool:
    """Return whether the letter at `first` is explained by words up to `last`."""
    return first >= 0 and explanation(line, first) == last - first + 1


def _goes_before(line: Line, place: int) -> bool:
    """Whether the word belongs to what stands before the "at"; "i" among letters is one of them."""
    bare = [heard.token.bare for heard in line]
    beside = bare[max(0, place - 1) : place] + bare[place + 1 : place + 2]
    is_spelled = _is_letter(bare[place]) and any(_is_letter(word) for word in beside)
    signs = line[0].words("emails", "dots") | line[0].words("emails", "signs")
    is_joined = any(word in signs for word in beside)
    is_hidden = bare[place].startswith("[")
    is_stop = bare[place] in line[0].words("emails", "before") and not is_joined
    ends_before = line[place].token.mark in tuple(".?!") and not _is_letter(bare[place])
    return is_spelled or not (is_hidden or is_stop or ends_before)


def _is_site(line: Line, first: int) -> bool:
    sites = line[0].words("emails", "sites")
    return any(heard.token.bare in sites for heard in line[max(0, first - 4) : first + 1])


def _spelled(line: Line, said: Said) -> Iterator[tuple[int, int]]:
    for first, past in spelled_words(line):
        if said.has_announced("email", line[first].word.start_s, _ANNOUNCED_S):
            yield first, past


def _parts(line: Line, said: Said) -> Iterator[tuple[int, int]]:
    """Yield parts of an address that was asked for: "dot smith", "smith dot com", "gmail.com"."""
    bare = [heard.token.bare for heard in line]
    between = line[0].words("emails", "between")
    signs = line[0].words("emails", "dots") | line[0].words("emails", "signs")
    for at, word in enumerate(bare):
        is_host = "." in word.strip(".") and _is_end(word) and not word[0].isdigit()
        is_dot = word in between and _goes_on_as_domain(line, at + 1)
        if not (is_host or is_dot) or _is_site(line, at):
            continue
        if not said.has_announced("email", line[at].word.start_s, _ANNOUNCED_S):
            continue
        first, past = _beginning(line, at), at + (2 if is_dot else 1)
        if not is_host and first == at and not line[at - 1].ends_turn and at:
            continue
        while past + 1 < len(bare) and bare[past] in signs:
            past += 2
        yield first, past


def _goes_on_as_domain(line: Line, at: int) -> bool:
    """Whether what follows "dot" goes on with it; where "point" is a common word, only an end."""
    if at >= len(line):
        return False
    words = line[at].vocabulary
    return words.code == ENGLISH or _is_said_end(line[at].token.bare, words)


def spelled_words(line: Line) -> Iterator[tuple[int, int]]:
    """Yield where words are spelled: "B-R-O-W-N", "b r o w n", "b as in boy r for Robert"."""
    at = 0
    while at < len(line):
        if line[at].token.sort is Sort.SPELLED:
            yield at, at + 1
            at += 1
            continue
        past, count, begun = at, 0, at
        while past < len(line) and (step := explanation(line, past) or _step(line, past, count)):
            count += line[past].token.sort is not Sort.LINK
            past += step
        while past > begun and line[past - 1].token.sort is Sort.LINK:
            past -= 1
        if count >= _SPELLED_LETTERS or (count and explanation(line, begun)):
            yield begun, past
        at = max(past, at + 1)


def _step(line: Line, at: int, count: int) -> int:
    """Return one, if a letter goes on here: said, or an alphabet's word, or doubled."""
    token = line[at].token
    if token.sort is Sort.REPEAT and at + 1 < len(line) and _is_letter(line[at + 1].token.bare):
        return 2
    is_letter = _is_letter(token.bare) or (token.sort is Sort.ALPHABET and count > 0)
    is_filler = count > 0 and token.bare in line[at].words("spelling", "asides")
    return int(is_letter or is_filler)


def _is_letter(bare: str) -> bool:
    return len(bare) == 1 and bare.isalpha()
