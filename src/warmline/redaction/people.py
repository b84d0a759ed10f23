"""Names and passwords, by cautious rules: what is introduced, or answers a question for one."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from warmline.redaction.emails import spelled_words
from warmline.redaction.heard import Finding, Heard, Label, Line, Said, after_leads, turn_around
from warmline.redaction.runs import explanation
from warmline.redaction.tokens import Sort

_MOST_NAMES = 3
_ASKED_S = 20.0
_SHORTEST_AGAIN = 3
_LONGEST_ANSWER = 6
_LONGEST_SECRET = 8
_MOST_TO_IS = 5
_SHORTEST_SECRET, _AGAIN_S = 4, 60.0
_NAMED = (Sort.WORD, Sort.ALPHABET, Sort.ACRONYM, Sort.MONTH)
_CONTRACTION = re.compile(r"'(re|ve|ll|m|d|t)$")


def find_names(said: Said) -> Iterator[Finding]:
    """Yield names of people who introduce themselves or spell them, wherever they are said."""
    known: dict[str, int] = {}
    own = [(line, span) for line in said.lines for span in _own_names(line, said)]
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
                and heard.token.sort in _NAMED
                and heard.token.bare not in line[0].words("names", "titles")
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
        places = tuple(heard.place for heard in line[first:past])
        yield Finding("password", line[0].word.party, places, value)


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


def is_capital(heard: Heard) -> bool:
    """Return whether a word is written with a capital and may be a name or an initial."""
    return heard.token.is_upper and heard.token.sort in (*_NAMED, Sort.LETTER)


def is_named(heard: Heard) -> bool:
    """Return whether a word is written as a name and is no word of everyday talk."""
    return is_capital(heard) and _may_be_name(heard)


def _names_from(line: Line, first: int) -> int:
    past = first
    while past < len(line) and past - first < _MOST_NAMES and _may_be_name(line[past]):
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
        if not (_may_be_name(heard) or (heard.token.sort is Sort.LETTER and heard.token.is_upper)):
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
        while first and _may_be_name(line[first - 1]):
            first -= 1
        yield first, past


def _is_of_thing(line: Line, at: int, said: Said) -> bool:
    """Return whether the name of a thing is spelled: "how do you spell the model?"."""
    things = line[0].words("answers", "things")
    turns = ((line, *turn_around(line, at)), said.turn_before(line, at))
    return any(
        heard.token.bare in things for turn in turns if turn for heard in turn[0][turn[1] : turn[2]]
    )


def _may_be_name(heard: Heard) -> bool:
    if _CONTRACTION.search(heard.token.bare):
        return False
    return heard.token.sort in _NAMED and heard.token.bare not in heard.words("names", "breaks")


def _own(bare: str) -> str:
    return bare.removesuffix("'s")
