"""E-mail addresses, typed or said: "pat dot brown at example dot org"."""

import re
from collections.abc import Iterator, Sequence

from warmline.phrases.spoken import ENGLISH
from warmline.redaction.book import ADJACENT, ANSWERED, Vocabulary, vocabulary
from warmline.redaction.heard import Finding, Heard, Label, Line, Said, after_leads, turn_around
from warmline.redaction.runs import explanation
from warmline.redaction.tokens import Sort

# The name of a mailbox that is typed with dots, not "e.g." and not a place in the web.
_DOTTED = re.compile(r"(?!www\.)(?=.*[a-z]{3})[a-z0-9]+(\.[a-z0-9]+)+")
# The name of a mailbox with digits, beside its provider: "my Gmail is jdoe82".
_HANDLE, _AT_PROVIDER = re.compile(r"[a-z]{3,}\d{1,4}"), 2
_MOST_BEFORE, _MOST_BETWEEN = 24, 9
_ANNOUNCED_S = 30.0
_SPELLED_LETTERS = 3
# A provider stands so near to the name of a mailbox; a part of an address is no longer than this.
_BESIDE, _LONGEST_PART, _MOST_REFUSED = 8, 10, 4
# A name that is said again, corrected, has its provider after so many words.
_TRIED = 16
_BEGUN_S = 6.0
# An underscore so soon after "starting" is one of an address, which may be said again.
_UNDERSCORE, _AGAIN_S = 3, 60.0


def find_emails(said: Said) -> Iterator[Finding]:
    """Yield the e-mail addresses of a call, spelled ones that were asked for among them."""
    value = 0
    for line in said.lines:
        found = (
            *(*_typed(line), *_said(line, said), *_spelled(line, said), *_parts(line, said)),
            *_handles(line, said),
        )
        for first, past in found:
            yield Finding.of("email", line[first:past], value)
            value += 1
    begun = list(_begun(said))
    parts = (*_answered(said), *_told_parts(said), *begun, *_again(said, begun))
    for line, first, past in parts:
        yield Finding.of("email", line[first:past], value)
        value += 1


def _again(said: Said, begun: Sequence[tuple[Line, int, int]]) -> Iterator[tuple[Line, int, int]]:
    """Yield the beginnings of addresses that are said again: "kev underscore, yeah"."""
    for there, begin, end in begun:
        words = [heard.token.bare for heard in there[begin:end]]
        for line in said.lines if len(words) > 1 else ():
            bare = [heard.token.bare for heard in line]
            for at in range(len(bare) - len(words) + 1):
                is_near = abs(line[at].word.start_s - there[begin].word.start_s) <= _AGAIN_S
                if is_near and bare[at : at + len(words)] == words:
                    yield line, at, at + len(words)


def _typed(line: Line) -> Iterator[tuple[int, int]]:
    for at, heard in enumerate(line):
        bare = heard.token.bare
        if bare.startswith("@") and _is_end(bare):
            yield _before_domain(line, at), at + 1
        elif "@" in bare.strip("@"):
            yield at, at + 1
        elif bare.endswith("@") and len(bare) > 1:
            yield at, _provider(line, at + 1) or at + 1


def _before_domain(line: Line, at: int) -> int:
    """Return where begins what is spelled in a turn before its domain: "l, i, n, and @x.org"."""
    first = turn_around(line, at)[0]
    spelled = [
        ("".join(heard.token.chars for heard in line[begin:past]).lower(), begin)
        for begin, past in spelled_words(line)
        if first <= begin and past <= at
    ]
    starts = [begin for _, begin in spelled]
    for place in range(first, at):
        bare = line[place].token.bare
        is_spelled_there = any(bare == letters for letters, _ in spelled)
        is_alone = _is_letter(bare) and bare not in line[0].words("spelling", "weak")
        if spelled and (is_spelled_there or is_alone):
            starts.append(place)
    return min(starts, default=at)


def _said(line: Line, said: Said) -> Iterator[tuple[int, int]]:
    def is_asked(heard: Heard) -> bool:
        return said.has_announced("email", heard.word.start_s, _ANNOUNCED_S)

    bare = [heard.token.bare for heard in line]
    for at, word in enumerate(bare):
        if word not in line[0].words("emails", "ats") or at == 0:
            continue
        begins = at + 2 if bare[at + 1 : at + 2] == ["sign"] else at + 1
        first = _beginning(line, at)
        past = _domain(bare, begins, line[0].vocabulary)
        if past is None and (is_asked(line[at]) or _is_handle(line[first:at])):
            past = _provider(line, begins)
        if past and not is_asked(line[at]) and _is_talk(line[begins : past - 1]):
            continue
        if past is not None and first < at and not _is_site(line, first):
            yield (_from_answer(line, at, first) if is_asked(line[at]) else first), past


def _is_talk(domain: Line) -> bool:
    """Return whether it is a figure of speech: "at my wits' end dot com"."""
    is_me = [heard.token.bare for heard in domain] in (["me"], ["me", "dot"])
    return not is_me and any(
        heard.token.bare in heard.words("emails", "no_domains") for heard in domain
    )


def _is_handle(said: Line) -> bool:
    """Return whether it is written or said as the name of a mailbox: "mary underscore byrne 7"."""
    last = said[-1].token.sort if said else Sort.WORD
    has_number = last is Sort.CODE or (len(said) > 1 and last is Sort.NUMBER)
    return has_number or any(
        heard.token.bare in heard.words("emails", "signs")
        or _is_typed_handle(heard)
        or _DOTTED.fullmatch(heard.token.bare)
        for heard in said
    )


def _is_typed_handle(heard: Heard) -> bool:
    """Return whether words are typed as one with a sign: "red_rover_99"."""
    return "_" in heard.token.bare.strip("_")


def _is_beside_provider(line: Line, at: int) -> bool:
    """Return whether a name with digits stands beside its provider: "my Gmail is jdoe82"."""
    near = line[max(0, at - _AT_PROVIDER) : at + _AT_PROVIDER + 1]
    is_code = line[at].token.sort is Sort.CODE
    return (
        is_code
        and bool(_HANDLE.fullmatch(line[at].token.bare))
        and any(heard.token.bare in heard.words("emails", "providers") for heard in near)
    )


def _provider(line: Line, at: int) -> int | None:
    """Return the end of a provider's name that stands here without its "dot com"."""
    hosts = line[0].words("emails", "providers") | line[0].words("emails", "hosts")
    is_one = at < len(line) and line[at].token.bare in hosts
    return at + 1 if is_one else None


def _handles(line: Line, said: Said) -> Iterator[tuple[int, int]]:
    """Yield names of mailboxes apart from where they are: "the Gmail, mary underscore byrne"."""
    dots = line[0].words("emails", "dots") & line[0].words("emails", "between")
    signs, stops = line[0].words("emails", "signs"), line[0].words("emails", "before")
    stops |= line[0].words("emails", "providers") | line[0].words("emails", "sites")
    typed = [
        h.word.start_s for there in said.lines for h in there if "@" in h.token.bare.strip("@")
    ]
    for at, heard in enumerate(line):
        # "hemi dot paewai, no sorry, it's hemi underscore paewai at gmail dot com"
        again = [h.token.bare for h in line[at + 1 : at + _TRIED]]
        is_tried = at > 0 and line[at - 1].token.bare in again
        beside = line[max(0, at - _BESIDE) : at + (_TRIED if is_tried else _BESIDE)]
        has_provider = any(h.token.bare in h.words("emails", "providers") for h in beside)
        is_asked = said.has_announced("email", heard.word.start_s, _ANNOUNCED_S)
        is_known = is_asked or any(0 < heard.word.start_s - at_s <= _ANNOUNCED_S for at_s in typed)
        if not (has_provider or is_known):
            continue
        is_dotted = is_known and _DOTTED.fullmatch(heard.token.bare)
        if is_dotted or _is_typed_handle(heard) or _is_beside_provider(line, at):
            yield at, at + 1
        elif (
            heard.token.bare in (signs | dots if has_provider else signs) and 0 < at < len(line) - 1
        ):
            first, past = at - 1, at + 2
            if not all(
                _is_of_name(h) and not _is_stop(h, stops) for h in (line[first], line[at + 1])
            ):
                continue
            while past < len(line) and not line[past - 1].ends_turn:
                is_sign = line[past].token.bare in (signs | line[0].words("emails", "dots"))
                goes_on = past + 1 < len(line) and is_sign and not line[past].token.mark
                if not (goes_on or line[past].token.sort in (Sort.NUMBER, Sort.REPEAT)):
                    break
                past += 2 if goes_on else 1
            yield first, past


def _is_stop(heard: Heard, stops: frozenset[str]) -> bool:
    return heard.token.bare in stops or _is_said_end(heard.token.bare, heard.vocabulary)


def _is_of_name(heard: Heard) -> bool:
    return heard.token.sort in (Sort.WORD, Sort.LETTER, Sort.ALPHABET, Sort.ACRONYM, Sort.SOUND)


def _answered(said: Said) -> Iterator[tuple[Line, int, int]]:
    """Yield what answers a question for a part of an address: "what comes before the at sign?"."""
    for label in said.labels:
        if not _asks_for_part(label) or not label.asks or (turn := said.next_turn(label)) is None:
            continue
        line, first, past = turn
        refusals = line[0].words("answers", "refusals")
        begin = after_leads(line, first, past)
        end = begin
        while end < past and end - begin < _LONGEST_PART:
            end += 1
            if line[end - 1].token.mark in tuple(".?!") and not _is_letter(
                line[end - 1].token.bare
            ):
                break
        said_there = [heard.token.bare for heard in line[begin:end]]
        named = line[0].words("emails", "providers") | line[0].words("answers", "nothing")
        if not any(word in refusals for word in said_there[:_MOST_REFUSED]) and not all(
            word in named for word in said_there
        ):
            yield line, begin, end


def _told_parts(said: Said) -> Iterator[tuple[Line, int, int]]:
    """Yield parts of an address that are told: "the bit before the at sign is mick.dellow"."""
    for label in said.labels:
        is_email = label.form is not None and label.form.kind == "email"
        if not is_email or label.binds != ANSWERED or label.asks:
            continue
        line, at, past = label.line, label.past, label.sentence[1]
        while at < past and line[at].token.bare in line[0].words("emails", "ats"):
            at += 1
        if at < past and line[at].token.bare in line[0].words("numbers", "is"):
            begin = after_leads(line, at + 1, past)
            end = begin
            while end < past and line[end].token.sort is not Sort.HIDDEN:
                end += 1
                if line[end - 1].token.mark or end - begin == _LONGEST_PART:
                    break
            refusals = line[0].words("answers", "refusals")
            if end > begin and not any(h.token.bare in refusals for h in line[begin:end]):
                yield line, begin, end


def _asks_for_part(label: Label) -> bool:
    """Return whether it is of a part of an address: "the first part of the email"."""
    if label.form is None or label.form.kind != "email" or label.binds == ADJACENT:
        return False
    first, past = label.sentence
    asked = {heard.token.bare for heard in label.line[first:past]}
    return label.binds == ANSWERED or bool(asked & label.words("emails", "parts"))


def _begun(said: Said) -> Iterator[tuple[Line, int, int]]:
    """Yield what an address begins or ends with: "an email starting with j o dash p"."""
    for label in said.labels:
        if not (label.binds == ADJACENT and label.form and label.form.kind == "email"):
            continue
        line, first = label.line, label.past
        following = {heard.token.bare for heard in line[first : first + _UNDERSCORE]}
        in_sentence = line[label.past : label.sentence[1]]
        is_surely = "underscore" in following or any("@" in h.token.bare for h in in_sentence)
        is_known = is_surely or said.has_announced("email", label.at_s, _BEGUN_S)
        if label.ends_turn or not is_known:
            continue
        signs = line[0].words("emails", "signs") | line[0].words("emails", "dots")
        past = first
        while past < len(line) and past - first < _LONGEST_PART and not line[past - 1].ends_turn:
            token = line[past].token
            is_first = past == first and _is_of_name(line[past])
            follows = past > first and line[past - 1].token.bare in signs
            if not (is_first or follows or token.bare in signs or _is_of_value(line[past])):
                break
            past += 1
            if token.mark:
                break
        if past > first:
            yield line, first, past


def _is_of_value(heard: Heard) -> bool:
    sorts = (Sort.NUMBER, Sort.REPEAT, Sort.LETTER, Sort.SPELLED, Sort.CODE)
    return heard.token.sort in sorts


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
    bare = [heard.token.bare for heard in line]
    first = at - _aside(bare, at, line[0].vocabulary)
    while first > 0 and at - first < _MOST_BEFORE and _goes_before(line, first - 1):
        first -= 1
        explained = max(
            (back for back in (3, 2) if _explains(line, first - back, first)), default=0
        )
        first -= explained
        first -= _aside(bare, first, line[0].vocabulary)
    begins_turn = first == 1 or (first > 1 and line[first - 2].ends_turn)
    return first - 1 if begins_turn and line[first - 1].token.bare == "the" else first


def _aside(bare: Sequence[str], past: int, words: Vocabulary) -> int:
    """Return how many words before a place say how what is before them is written: "one word"."""
    asides = (aside.split() for aside in words.words("emails", "asides"))
    return max((len(a) for a in asides if list(bare[max(0, past - len(a)) : past]) == a), default=0)


def _explains(line: Line, first: int, last: int) -> bool:
    """Return whether the letter at `first` is explained by words up to `last`."""
    return first >= 0 and explanation(line, first) == last - first + 1


def _goes_before(line: Line, place: int) -> bool:
    """Return whether a word belongs before the "at"; "i" among letters is one of them."""
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
    """Return whether what follows "dot" goes on; where "point" is a common word, only an end."""
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
