"""Names, addresses and passwords, by cautious rules: what says of itself that it is one."""

import re
from collections.abc import Iterator

from warmline.redaction.book import word_list
from warmline.redaction.emails import spelled_words
from warmline.redaction.heard import Finding, Heard, Label, Line, Said
from warmline.redaction.runs import explanation
from warmline.redaction.tokens import Sort

_MOST_NAMES = 3
_ASKED_S = 20.0
_SHORTEST_AGAIN = 3
_STREET_WORDS = 6
_HOUSE_DIGITS = 5
_MOST_OF_ADDRESS = 16
_LONGEST_ANSWER = 6
_LONGEST_SECRET = 8
_MOST_TO_IS = 5
_NAMED = (Sort.WORD, Sort.ALPHABET, Sort.ACRONYM, Sort.MONTH)
_CONTRACTION = re.compile(r"'(re|ve|ll|m|d|t)$")
_POSTCODE = re.compile(
    r"[A-Z]{1,2}\d[A-Z\d]?\d[A-Z]{2}|[A-Z]\d[A-Z]\d[A-Z]\d|[A-Z]\d[\dW][A-Z\d]{4}"
)


def find_names(said: Said) -> Iterator[Finding]:
    """Yield names of people who introduce themselves or spell them, wherever they are said."""
    known: dict[str, int] = {}
    own = [(line, span) for line in said.lines for span in _own_names(line, said)]
    asked = [
        (line, span)
        for line, *turn in said.answers_to("name", _ASKED_S)
        for span in _answered(line, *turn)
    ]
    for line, (first, past) in (*own, *asked):
        value = len(known)
        for heard in line[first:past]:
            if (
                len(heard.token.bare) >= _SHORTEST_AGAIN
                and heard.token.sort in _NAMED
                and heard.token.bare not in word_list("names", "titles")
            ):
                known.setdefault(_own(heard.token.bare), value)
        places = tuple(heard.place for heard in line[first:past])
        yield Finding("name", line[0].word.party, places, value)
    for line in said.lines:
        for heard in line:
            value = known.get(_own(heard.token.bare), -1)
            if value >= 0:
                yield Finding("name", heard.word.party, (heard.place,), value)


def _own_names(line: Line, said: Said) -> Iterator[tuple[int, int]]:
    yield from _introduced(line)
    yield from _spelled(line, said)
    yield from _titled(line)


def find_addresses(said: Said) -> Iterator[Finding]:
    """Yield house numbers with their streets, and what answers a question for an address."""
    value, told = 0, set[int]()
    premises = word_list("streets", "premises") - {"no", "number", "room"}
    for line, first, past in _addresses_told(said):
        places = tuple(heard.place for heard in line[first:past])
        told.update(places)
        yield Finding("address", line[0].word.party, places, value)
        value += 1
    for line in said.lines:
        at = 0
        while at < len(line):
            end = None if line[at].place in told else _street(line, at)
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


def find_passwords(said: Said) -> Iterator[Finding]:
    """Yield what is said as a password, a memorable word, or the answer to a security question."""
    spans = [
        *(
            (line, *span)
            for line, *turn in said.answers_to("password", _ASKED_S)
            for span in _secret(line, *turn)
        ),
        *(
            (label.line, *span)
            for label in said.labels
            if label.form and label.form.kind == "password"
            for span in _told(label)
        ),
    ]
    for value, (line, first, past) in enumerate(spans):
        places = tuple(heard.place for heard in line[first:past])
        yield Finding("password", line[0].word.party, places, value)


def _told(label: Label) -> Iterator[tuple[int, int]]:
    """What stands after "my password is", "the password on the account is", in the same turn."""
    line = label.line
    past = label.past
    while past < len(line) and not line[past - 1].ends_turn:
        past += 1
    before = [heard.token.bare for heard in line[max(0, label.first - 3) : label.first]]
    asks = word_list("answers", "asks")
    if label.ends_turn or any(word in asks for word in before):
        return
    if line[label.past - 1].token.bare.endswith("'s"):
        yield from _secret(line, label.past, past)
        return
    for at in range(label.past, min(past, label.past + _MOST_TO_IS)):
        bare = line[at].token.bare
        if bare in ("is", "was", "it's") or (bare == "to" and at == label.past):
            yield from _secret(line, at + 1, past)
            return


def _secret(line: Line, first: int, past: int) -> Iterator[tuple[int, int]]:
    """The answer of a turn, without what leads to it, up to where another clause begins."""
    bare = [heard.token.bare for heard in line[first:past]]
    refusals = word_list("answers", "refusals")
    if any(word in refusals for word in bare[:_LONGEST_ANSWER]) or (past <= first):
        return
    begin = _after_leads(line, first, past, keep_one=True)
    if begin > first and line[begin - 1].token.bare in ("the", "my"):
        begin -= 1
    if begin + 1 == past and line[begin].token.bare in word_list("answers", "nothing"):
        return
    end = begin
    ends = word_list("answers", "ends")
    while end < past and end - begin < _LONGEST_SECRET:
        if explained := explanation(line, end):
            end = min(end + explained, past)
            continue
        token = line[end].token
        is_last_pair = token.bare == "and" and past - end == 2
        goes_on = end == begin or len(token.bare) == 1 or token.bare == "capital" or is_last_pair
        follows_mark = end > begin and line[end - 1].token.mark in tuple(".?!")
        is_over = token.bare in ends and not goes_on
        if is_over or follows_mark or token.sort is Sort.HIDDEN:
            break
        end += 1
    is_talk = line[past - 1].token.mark == "?" and end == past
    if end > begin and not is_talk and end - begin < _LONGEST_SECRET + 1:
        yield begin, end


def _after_leads(line: Line, first: int, past: int, *, keep_one: bool = False) -> int:
    leads = word_list("answers", "leads")
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


def _introduced(line: Line) -> Iterator[tuple[int, int]]:
    bare = [heard.token.bare for heard in line]
    for at in range(len(bare)):
        first = _after_introduction(bare, at)
        if first is not None:
            past = _names_from(line, first)
            if past > first:
                yield first, past
        first = _after_greeting(bare, at)
        if first is not None:
            past = _names_from(line, first)
            if past > first and _is_surely_name(line, first, past):
                yield first, past
        if bare[at] in ("speaking", "here") and at and _is_named(line[at - 1]):
            first = at - 1
            while first and at - first < _MOST_NAMES and _is_named(line[first - 1]):
                first -= 1
            is_clause = first == 0 or line[first - 1].ends_turn or line[first - 1].token.mark
            is_end = line[at].token.mark or line[at].ends_turn or bare[at] == "speaking"
            if is_clause and (is_end or at - first > 1):
                yield first, at


def _after_introduction(bare: list[str], at: int) -> int | None:
    """Where a name begins that is surely introduced: "my name is", "in the name of"."""
    before = bare[max(0, at - 1) : at]
    if bare[at] == "name's" or bare[at : at + 2] == ["surname", "is"]:
        return at + (1 if bare[at] == "name's" else 2)
    if (
        bare[at : at + 2] == ["name", "is"]
        and before
        and before[0] in ("my", "last", "first", "full", "her", "his", "the")
    ):
        return at + 2
    if bare[at : at + 4] == ["in", "the", "name", "of"]:
        return at + 4
    if bare[at : at + 3] == ["name", "again", "was"]:
        return at + 3
    return None


def _after_greeting(bare: list[str], at: int) -> int | None:
    """Where a name may begin: "this is", "I'm", "speaking with", "it's"."""
    if bare[at : at + 2] in (
        ["this", "is"],
        ["i", "am"],
        ["speaking", "with"],
        ["speaking", "to"],
        ["talking", "to"],
        ["it", "is"],
    ):
        return at + 2
    return at + 1 if bare[at] in ("i'm", "it's") else None


def _is_surely_name(line: Line, first: int, past: int) -> bool:
    """Whether two words in capitals follow, or one with "calling" or "from" after it."""
    if line[first].token.bare in word_list("names", "titles"):
        return True
    if not all(_is_capital(heard) for heard in line[first:past]):
        return False
    if past - first >= 2:
        return line[past - 1].token.bare not in ("bank", "calling") and "bank" not in [
            h.token.bare for h in line[past : past + 2]
        ]
    following = line[past].token.bare if past < len(line) else ""
    return following in ("calling", "speaking", "here", "ringing", "phoning")


def _is_capital(heard: Heard) -> bool:
    return heard.token.is_upper and heard.token.sort in (*_NAMED, Sort.LETTER)


def _is_named(heard: Heard) -> bool:
    return _is_capital(heard) and _may_be_name(heard)


def _names_from(line: Line, first: int) -> int:
    past = first
    while past < len(line) and past - first < _MOST_NAMES and _may_be_name(line[past]):
        past += 1
        if line[past - 1].token.mark and line[past - 1].token.bare not in word_list(
            "names", "titles"
        ):
            break
        if past < len(line) and line[past - 1].ends_turn and not line[past].token.is_upper:
            break
    return past


def _titled(line: Line) -> Iterator[tuple[int, int]]:
    """Names after a title: "Mrs Patterson", "Mr. J R Okafor"."""
    titles = word_list("names", "titles")
    for at, heard in enumerate(line):
        if heard.token.bare not in titles or (
            heard.token.bare == "sir" and not heard.token.is_upper
        ):
            continue
        past = at + 1
        if [h.token.bare in titles or h.token.bare == "and" for h in line[past : past + 2]] == [
            True
        ] * 2:
            past += 2
        while past < len(line) and past - at <= _MOST_NAMES + 2:
            is_name = _may_be_name(line[past]) and (line[past].token.is_upper or past == at + 1)
            if not (
                is_name or (line[past].token.sort is Sort.LETTER and line[past].token.is_upper)
            ):
                break
            past += 1
            if line[past - 1].token.mark not in ("", "."):
                break
        if (past > at + 1 and heard.token.bare not in ("miss", "sir", "doctor")) or (
            past > at + 1 and line[at + 1].token.is_upper
        ):
            yield at, past


def _answered(line: Line, first: int, past: int) -> Iterator[tuple[int, int]]:
    """The name in the turn that answers a question for one."""
    refusals = word_list("answers", "refusals")
    if line[past - 1].token.mark == "?" or any(
        heard.token.bare in refusals for heard in line[first : min(past, first + _LONGEST_ANSWER)]
    ):
        return
    begin = _after_leads(line, first, past)
    end = begin
    while end < past and end - begin < _MOST_NAMES + 1:
        heard = line[end]
        if not (_may_be_name(heard) or (heard.token.sort is Sort.LETTER and heard.token.is_upper)):
            break
        end += 1
        if heard.token.mark in tuple(".,?!") and heard.token.bare not in word_list(
            "names", "titles"
        ):
            break
    is_short = past - end <= _LONGEST_ANSWER or (
        line[begin : begin + 1] and line[end - 1].token.mark
    )
    if end > begin and (is_short or _is_capital(line[begin])):
        yield begin, end


def _spelled(line: Line, said: Said) -> Iterator[tuple[int, int]]:
    """What is spelled after a name was asked for, with the name itself just before it."""
    for first, past in spelled_words(line):
        if not said.has_announced("name", line[first].word.start_s, _ASKED_S):
            continue
        while first and _may_be_name(line[first - 1]):
            first -= 1
        yield first, past


def _may_be_name(heard: Heard) -> bool:
    if _CONTRACTION.search(heard.token.bare):
        return False
    return heard.token.sort in _NAMED and heard.token.bare not in word_list("names", "breaks")


def _own(bare: str) -> str:
    return bare.removesuffix("'s")


def _street(line: Line, first: int) -> int | None:
    """Where the street ends whose house number begins here; None when there is none."""
    past, digits = first, 0
    while past < len(line) and line[past].token.sort in (Sort.NUMBER, Sort.CODE):
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


def _rest_of_address(line: Line, past: int) -> int:
    """The end of an address after its street: towns in capitals, codes."""
    inside, ends = word_list("streets", "inside"), word_list("streets", "ends")
    at, end = past, past
    while at < len(line) and at - past < _MOST_OF_ADDRESS and not line[at - 1].ends_turn:
        if line[at - 1].token.mark in tuple("?!."):
            break
        token = line[at].token
        is_code = token.sort in (Sort.NUMBER, Sort.CODE, Sort.ACRONYM, Sort.LETTER, Sort.SPELLED)
        if is_code or (token.is_upper and token.sort in _NAMED) or token.bare in ends:
            end = at + 1
        elif token.bare not in inside and token.bare not in ("in", "is"):
            break
        at += 1
    return end


def _postcodes(line: Line) -> Iterator[tuple[int, int]]:
    """Postcodes of Britain, Ireland and Canada that are typed as two words."""
    for at in range(len(line) - 1):
        said = line[at : at + 2]
        is_typed = all(h.token.sort in (Sort.CODE, Sort.ACRONYM) for h in said)
        is_upper = all(h.word.text.upper() == h.word.text for h in said)
        if is_typed and is_upper and _POSTCODE.fullmatch("".join(h.token.chars for h in said)):
            yield at, at + 2


def _addresses_told(said: Said) -> Iterator[tuple[Line, int, int]]:
    """Addresses that were asked for, or said after "I live at"."""
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
    """Whether a street, or two names, are among the words."""
    ends = word_list("streets", "ends") | word_list("streets", "premises")
    is_street = any(heard.token.bare in ends for heard in said[1:]) or said[0].token.bare in ends
    return is_street or sum(_is_named(heard) for heard in said) >= 2


def _address(line: Line, first: int, past: int) -> tuple[int, int] | None:
    """The address in a turn: from its first number, or name before it, on."""
    premises = word_list("streets", "premises")
    refusals = word_list("answers", "refusals") - {"no"}
    if any(heard.token.bare in refusals for heard in line[first : min(past, first + 4)]):
        return None
    begin = _after_leads(line, first, past)
    starts = [
        at
        for at in range(begin, min(past, begin + _LONGEST_ANSWER))
        if line[at].token.sort in (Sort.NUMBER, Sort.CODE) or line[at].token.bare in premises
    ]
    if not starts:
        return _named_house(line, begin, past)
    start = starts[0]
    has_number = any(h.token.digits for h in line[start : start + _LONGEST_ANSWER])
    if not has_number or _is_counting(line, start, past):
        return None
    while start > begin and _is_capital(line[start - 1]):
        start -= 1
    end = start + 1
    breaks = word_list("answers", "ends") - {"and", "all"}
    while end < past and end - start < _MOST_OF_ADDRESS + 4:
        token = line[end].token
        if line[end - 1].token.mark in tuple("?!") or (
            line[end - 1].token.mark == "."
            and (not token.is_upper or token.bare in word_list("names", "breaks"))
        ):
            break
        goes_on = token.bare == "in" and end + 1 < past and line[end + 1].token.is_upper
        if (token.bare in breaks and not goes_on) or token.sort is Sort.HIDDEN:
            break
        end += 1
    return start, end


def _named_house(line: Line, begin: int, past: int) -> tuple[int, int] | None:
    """An address without a number: "The Old Rectory, Church Lane, Topsham"."""
    houses = word_list("streets", "houses") | word_list("streets", "ends")
    end = begin
    while end < past and (line[end].token.is_upper or line[end].token.bare in ("of", "on", "the")):
        end += 1
    first = begin - 1 if begin and line[begin - 1].token.bare == "the" else begin
    is_place = any(heard.token.bare in houses for heard in line[begin:end])
    return (first, end) if is_place and end - begin > _SHORTEST_AGAIN else None


def _is_counting(line: Line, start: int, past: int) -> bool:
    units = word_list("numbers", "units")
    inside = word_list("streets", "inside")
    following = [heard.token.bare for heard in line[start + 1 : min(past, start + 3)]]
    return any(word in units and word not in inside for word in following)
