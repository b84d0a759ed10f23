"""Names, passwords and addresses, by cautious rules: what is introduced, or answers a question."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from warmline.redaction.emails import spelled_words
from warmline.redaction.heard import (
    NAMED,
    Finding,
    Heard,
    Label,
    Line,
    Said,
    after_leads,
    is_capital,
    is_named,
    may_be_name,
    turn_around,
)
from warmline.redaction.runs import explanation
from warmline.redaction.tokens import Sort

_MOST_NAMES = 3
_ASKED_S = 20.0
_SHORTEST_AGAIN = 3
_LONGEST_ANSWER = 6
_LONGEST_SECRET = 8
_MOST_TO_IS = 5
_SHORTEST_SECRET, _AGAIN_S = 4, 60.0


def find_names(said: Said) -> Iterator[Finding]:
    """Yield names of people who introduce themselves or spell them, wherever they are said."""
    known: dict[str, int] = {}
    own = [
        (line, span)
        for line in said.lines
        for span in (*_introduced(line), *_spelled(line, said), *_titled(line))
    ]
    asked = [
        (line, span)
        for line, *turn in said.answers_to("name", _ASKED_S)
        if not _is_of_thing(line, turn[0], said)
        for span in _answered(line, *turn)
    ]
    for line, (first, past) in (*own, *asked):
        value = len(known)
        for heard in line[first:past]:
            if (
                len(heard.token.bare) >= _SHORTEST_AGAIN
                and heard.token.sort in NAMED
                and heard.token.bare not in line[0].words("names", "titles")
            ):
                known.setdefault(heard.token.bare.removesuffix("'s"), value)
        yield Finding.of("name", line[first:past], value)
    for line in said.lines:
        for heard in line:
            value = known.get(heard.token.bare.removesuffix("'s"), -1)
            if value >= 0:
                yield Finding("name", heard.word.party, (heard.place,), value)


def find_passwords(said: Said) -> Iterator[Finding]:
    """Yield what is said as a password, a memorable word, or the answer to a security question."""
    spans = [
        *(
            (line, *span)
            for line, *turn in said.answers_to("password", _ASKED_S)
            if not _is_asked_how(line, turn[0], said)
            for span in _secret(line, *turn)
        ),
        *(
            (label.line, *span)
            for label in said.labels
            if label.form and label.form.kind == "password"
            for span in _told(label)
        ),
    ]
    for value, (line, first, past) in enumerate((*spans, *_said_again(said, spans))):
        yield Finding.of("password", line[first:past], value)


def _is_asked_how(line: Line, at: int, said: Said) -> bool:
    """Return whether it is asked how long a password is, or how often it changes."""
    turn = said.turn_before(line, at)
    bare = [heard.token.bare for heard in turn[0][turn[1] : turn[2]]] if turn else []
    quantities = line[0].words("answers", "quantities")
    return any(one == "how" and other in quantities for one, other in pairwise(bare))


def _said_again(
    said: Said, spans: Sequence[tuple[Line, int, int]]
) -> Iterator[tuple[Line, int, int]]:
    """Yield passwords and answers that are said again soon, with what belongs to them."""
    for there, begin, end in spans:
        names = {
            heard.token.bare
            for heard in there[begin:end]
            if is_named(heard) and len(heard.token.bare) >= _SHORTEST_SECRET
        }
        for line in said.lines:
            for at, heard in enumerate(line):
                is_near = abs(heard.word.start_s - there[begin].word.start_s) <= _AGAIN_S
                if heard.token.bare not in names or not heard.token.is_upper or not is_near:
                    continue
                past = _rest_of_secret(line, at + 1)
                if past == at + 1 and past < len(line) and not line[at].token.mark:
                    past += is_named(line[past]) and not line[at].ends_turn
                yield line, at, past


def _rest_of_secret(line: Line, past: int) -> int:
    """Return where signs, digits and letters end that belong to a password."""
    aside = line[0].words("answers", "written")
    end = at = past
    while at < len(line) and not line[at - 1].ends_turn:
        if line[at - 1].token.mark in tuple(".?!"):
            break
        if _is_spelled_part(line, at):
            end = at = at + max(_sign(line, at), 1)
        elif line[at].token.bare in aside or line[at].token.sort is Sort.LINK:
            at += 1
        else:
            break
    return end


def _is_spelled_part(line: Line, at: int) -> bool:
    """Return whether a part of a password is read out here: a sign, a digit or a letter."""
    token = line[at].token
    if token.bare == "case":
        return line[at - 1].token.bare in line[0].words("answers", "shifts")
    is_letter = token.sort in (Sort.NUMBER, Sort.REPEAT, Sort.CODE, Sort.LETTER, Sort.SPELLED)
    is_shift = token.bare in line[0].words("answers", "shifts")
    is_free = len(token.bare) > 1 or token.bare not in line[0].words("spelling", "weak")
    return _sign(line, at) > 0 or is_shift or (is_letter and is_free)


def _sign(line: Line, at: int) -> int:
    """Return of how many words the name of a sign is: "exclamation point", "dollar sign"."""
    bare = [heard.token.bare for heard in line[at : at + 2]]
    if " ".join(bare) in line[0].words("answers", "signs"):
        return 2
    return int(bare[0] in line[0].words("answers", "signs"))


def _told(label: Label) -> Iterator[tuple[int, int]]:
    """Find what follows "my password is", "the password on the account is", in the same turn."""
    line = label.line
    past = label.past
    while past < len(line) and not line[past - 1].ends_turn:
        past += 1
    begin = max(label.sentence[0], label.first - 3)
    before = [heard.token.bare for heard in line[begin : label.first]]
    asks = line[0].words("answers", "asks")
    if label.ends_turn or any(word in asks for word in before):
        return
    last = line[label.past - 1].token.bare
    is_code = line[label.past].token.sort is Sort.CODE and not line[label.past - 1].token.mark
    if last.endswith("'s") or last == "is" or is_code:
        yield from _secret(line, label.past, past)
        return
    for at in range(label.past, min(past, label.past + _MOST_TO_IS)):
        bare = line[at].token.bare
        is_likely = bare == "be" and line[at - 1].token.bare in line[0].words("answers", "likely")
        if bare in ("is", "was", "it's") or is_likely or (bare == "to" and at == label.past):
            yield from _secret(line, at + 1, past)
            return


def _secret(line: Line, first: int, past: int) -> Iterator[tuple[int, int]]:
    """Yield the answer of a turn, without what leads to it, up to where another clause begins."""
    bare = [heard.token.bare for heard in line[first:past]]
    refusals = line[0].words("answers", "refusals")
    if any(word in refusals for word in bare[:_LONGEST_ANSWER]) or (past <= first):
        return
    begin = after_leads(line, first, past, keep_one=True)
    if begin > first and line[begin - 1].token.bare in ("the", "my"):
        begin -= 1
    if begin + 1 == past and line[begin].token.bare in line[0].words("answers", "nothing"):
        return
    end = begin
    ends = line[0].words("answers", "ends")
    while end < past and end - begin < _LONGEST_SECRET:
        if explained := explanation(line, end):
            end = min(end + explained, past)
            continue
        token = line[end].token
        is_last_pair = token.bare == "and" and past - end == 2
        goes_on = end == begin or len(token.bare) == 1 or token.bare == "capital" or is_last_pair
        is_short = line[end - 1].token.bare in line[0].words("names", "shortened")
        follows_mark = end > begin and line[end - 1].token.mark in tuple(".?!") and not is_short
        is_over = token.bare in ends and not goes_on
        if is_over or follows_mark or token.sort is Sort.HIDDEN:
            break
        end += 1
    if any(_is_spelled_part(line, at) for at in range(begin, min(end + 4, past))):
        end = max(end, _rest_of_secret(line, end))
    is_talk = line[past - 1].token.mark == "?" and end == past
    if end > begin and not is_talk:
        yield begin, end
        yield from _other_guess(line, end, past)


def _other_guess(line: Line, first: int, past: int) -> Iterator[tuple[int, int]]:
    """Yield another answer to the same question: "Kingfisher? Or maybe Kookaburra 44"."""
    guesses = line[0].words("answers", "guesses")
    for at in range(first, past):
        leading = line[0].words("answers", "alternatives") | line[0].words("answers", "changes")
        if line[at].token.bare not in leading:
            continue
        begin = at + 1
        while begin < past and line[begin].token.bare in guesses:
            begin += 1
        if begin < past and (is_named(line[begin]) or line[begin].token.sort is Sort.CODE):
            yield begin, _rest_of_secret(line, begin + 1)


def _introduced(line: Line) -> Iterator[tuple[int, int]]:
    bare = [heard.token.bare for heard in line]
    for at in range(len(bare)):
        first = _after_introduction(bare, at)
        if first is not None:
            past = _names_from(line, first)
            if past > first:
                yield first, past
        if bare[at : at + 3] in (["is", "my", "name"], ["is", "the", "name"]) and at:
            first = at - 1
            while first and at - first < _MOST_NAMES and is_named(line[first - 1]):
                first -= 1
            if is_named(line[first]):
                yield first, at
        first = _after_greeting(bare, at)
        if first is not None:
            past = _names_from(line, first)
            if past > first and _is_surely_name(line, first, past):
                yield first, past
        if bare[at] in ("speaking", "here") and at and is_named(line[at - 1]):
            first = at - 1
            while first and at - first < _MOST_NAMES and is_named(line[first - 1]):
                first -= 1
            is_clause = first == 0 or line[first - 1].ends_turn or line[first - 1].token.mark
            is_end = line[at].token.mark or line[at].ends_turn or bare[at] == "speaking"
            if is_clause and (is_end or at - first > 1):
                yield first, at


def _after_introduction(bare: list[str], at: int) -> int | None:
    """Return where a name begins that is surely introduced: "my name is", "in the name of"."""
    before = bare[max(0, at - 1) : at]
    if bare[at] == "names" and before == ["my"]:
        return at + 1
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
    """Return where a name may begin: "this is", "I'm", "speaking with", "it's"."""
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
    """Return whether two words in capitals follow, or one with "calling" or "from" after it."""
    if line[first].token.bare in line[0].words("names", "titles"):
        return True
    if not all(is_capital(heard) for heard in line[first:past]):
        return False
    if past - first >= 2:
        return line[past - 1].token.bare not in ("bank", "calling") and "bank" not in [
            h.token.bare for h in line[past : past + 2]
        ]
    following = line[past].token.bare if past < len(line) else ""
    return following in ("calling", "speaking", "here", "ringing", "phoning")


def _names_from(line: Line, first: int) -> int:
    past = first
    while past < len(line) and past - first < _MOST_NAMES and may_be_name(line[past]):
        past += 1
        if line[past - 1].token.mark and line[past - 1].token.bare not in line[0].words(
            "names", "titles"
        ):
            break
        if past < len(line) and line[past - 1].ends_turn and not line[past].token.is_upper:
            break
    return past


def _titled(line: Line) -> Iterator[tuple[int, int]]:
    """Yield names after a title: "Mrs Patterson", "Mr. J R Okafor"."""
    titles = line[0].words("names", "titles")
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
            is_name = may_be_name(line[past]) and (line[past].token.is_upper or past == at + 1)
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
    """Yield the name in the turn that answers a question for one."""
    refusals = line[0].words("answers", "refusals")
    if line[past - 1].token.mark == "?" or any(
        heard.token.bare in refusals for heard in line[first : min(past, first + _LONGEST_ANSWER)]
    ):
        return
    begin = after_leads(line, first, past)
    if first < begin < past and line[begin - 1].token.bare == "the" and not is_capital(line[begin]):
        return
    end = begin
    while end < past and end - begin < _MOST_NAMES + 1:
        heard = line[end]
        if not (may_be_name(heard) or (heard.token.sort is Sort.LETTER and heard.token.is_upper)):
            break
        end += 1
        if heard.token.mark in tuple(".,?!") and heard.token.bare not in line[0].words(
            "names", "titles"
        ):
            break
    is_short = past - end <= _LONGEST_ANSWER or (
        line[begin : begin + 1] and line[end - 1].token.mark
    )
    if end > begin and (is_short or is_capital(line[begin])):
        yield begin, end


def _spelled(line: Line, said: Said) -> Iterator[tuple[int, int]]:
    """Yield what is spelled after a name was asked for, with the name itself just before it."""
    for first, past in spelled_words(line):
        if not said.has_announced("name", line[first].word.start_s, _ASKED_S):
            continue
        if _is_of_thing(line, first, said):
            continue
        while first and may_be_name(line[first - 1]):
            first -= 1
        yield first, past


def _is_of_thing(line: Line, at: int, said: Said) -> bool:
    """Return whether the name of a thing is spelled: "how do you spell the model?"."""
    things = line[0].words("answers", "things")
    turns = ((line, *turn_around(line, at)), said.turn_before(line, at))
    return any(
        heard.token.bare in things for turn in turns if turn for heard in turn[0][turn[1] : turn[2]]
    )


# Addresses: house numbers with their streets, postcodes, and answers to questions for one.
_STREET_WORDS, _HOUSE_DIGITS = 6, 5
_MOST_OF_ADDRESS = 16
_FIRST_WORDS = 6
_SHORTEST_PLACE, _SURE_NAMES = 3, 2
_OF_CODES = (*(Sort.NUMBER, Sort.REPEAT, Sort.CODE, Sort.ACRONYM, Sort.LETTER, Sort.SPELLED),)
_POSTCODE = re.compile(
    r"[A-Z]{1,2}\d[A-Z\d]?\d[A-Z]{2}|[A-Z]\d[A-Z]\d[A-Z]\d|[A-Z]\d[\dW][A-Z\d]{4}"
)


def find_addresses(said: Said) -> Iterator[Finding]:
    """Yield house numbers with their streets, and what answers a question for an address."""
    for value, (line, first, past) in enumerate(_addresses(said)):
        yield Finding.of("address", line[first:past], value)


def _addresses(said: Said) -> Iterator[tuple[Line, int, int]]:
    told = set[int]()
    premises = said.book.vocabulary.words("streets", "premises") - {"no", "number", "room"}
    for line, first, past in _addresses_told(said):
        told.update(heard.place for heard in line[first:past])
        yield line, first, past
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
            yield line, first, at
        yield from ((line, first, past) for first, past in _postcodes(line))


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
        if at > past and _ends_street(line[at]):
            if _is_talk(line, past, at):
                return None
            is_double = at + 1 < len(line) and _ends_street(line[at + 1])
            return at + 2 if is_double else at + 1
        if token.bare in line[0].words("streets", "breaks") or token.bare in line[0].words(
            "numbers", "units"
        ):
            return None
        if token.sort is Sort.WORD and token.mark in tuple(",.?!;"):
            return None
    return None


def _ends_street(heard: Heard) -> bool:
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
    names = sum(h.token.is_upper and h.token.sort in NAMED for h in line[at + 1 : end])
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
        if is_code or (token.is_upper and token.sort in NAMED) or _ends_street(line[at]):
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
