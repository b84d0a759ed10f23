"""Generated pieces of calls in which something private is said, and others in which nothing is.

Written from how people say numbers on the telephone, before there were rules to hide them; forms
are drawn by a seed, so that there are more of them than anybody would write by hand. They are
generated all the same: nobody said them, and who wrote them wrote the rules.
"""

import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from warmline.values import Transcript, Word

from .spelling import digits_said, digits_typed, letters_said, misheard, ordinal, year_said

_WORD_S, _GAP_S, _PAUSE_S = 0.28, 0.06, 0.7
AGENT, CUSTOMER = "A", "B"

_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_WORDS = _TABLE["words"]
_CORRECTION = ("no", "sorry")

# Words of one turn: who says them, and for each whether it is private.
Line = tuple[str, tuple[tuple[str, bool], ...]]
# A number and how its digits are grouped; a form with its turns.
_Number = Callable[[Random], tuple[str, tuple[int, ...]]]
_Maker = Callable[[Random], tuple[str, list[Line]]]


@dataclass(frozen=True)
class Piece:
    """A few turns. `kind` is what is private in them, None when nothing is; `form` how it is said.

    `private` has, for each word of the transcript, whether it must be hidden.
    """

    kind: str | None
    form: str
    transcript: Transcript
    private: tuple[bool, ...]


def pieces(seed: int, of_each: int) -> Iterator[Piece]:
    """So many pieces of each kind, and as many without anything private for each form of those."""
    draw = Random(seed)
    for kind, make in PRIVATE.items():
        for _ in range(of_each):
            form, lines = make(draw)
            yield _piece(kind, form, lines, draw)
    for form, sayings in _TABLE["harmless"].items():
        for _ in range(of_each):
            yield _piece(None, form, _harmless(draw, draw.choice(sayings)), draw)


def _piece(kind: str | None, form: str, lines: Sequence[Line], draw: Random) -> Piece:
    words, private, at = [], [], draw.uniform(0, 5)
    for party, said in lines:
        for text, is_private in said:
            words.append(Word(round(at, 3), round(at + _WORD_S, 3), party, text, 0.9))
            private.append(is_private)
            at += _WORD_S + _GAP_S
        at += _PAUSE_S
    return Piece(kind, form, Transcript("en", 1.0, tuple(words), (), {}), tuple(private))


def _open(party: str, text: str) -> Line:
    return party, tuple((word, False) for word in text.split())


def _filled(party: str, carrier: str, value: Sequence[str]) -> Line:
    """The carrier with the value in place of `V`."""
    words: list[tuple[str, bool]] = []
    for word in carrier.split():
        if word == "V":
            words += [(said, said not in _CORRECTION) for said in value]
        else:
            words.append((word, False))
    return party, tuple(words)


def _hesitant(value: Sequence[str], draw: Random) -> list[str]:
    """Now and then a filler inside: it goes with the value."""
    words = list(value)
    if len(words) > 3 and draw.random() < 0.25:
        words.insert(draw.randrange(1, len(words)), draw.choice(["um", "uh", "er"]))
    return words


def _number(draw: Random, count: int, first: str = "123456789") -> str:
    return draw.choice(first) + "".join(draw.choice("0123456789") for _ in range(count - 1))


def _card(draw: Random) -> str:
    body = draw.choice("45") + _number(draw, 14)
    sums = [int(d) * (2 - i % 2) for i, d in enumerate(body)]
    return body + str(-sum(s - 9 if s > 9 else s for s in sums) % 10)


def _of_digits(kind: str, number: _Number) -> _Maker:
    """A kind that is a number: asked for or volunteered, at once or in groups, said or typed."""
    said = _TABLE["numbers"][kind]

    def make(draw: Random) -> tuple[str, list[Line]]:
        digits, groups = number(draw)
        way = draw.choice(["single", "single", "double", "pairs", "typed", "typed"])
        flow = draw.choice(["asked", "asked", "volunteered", "in groups"])
        slip = "interrupted" if flow == "in groups" else "corrected"
        twist = draw.choice(["plain", "plain", "plain", "misheard", slip, "odd words"])
        odd = twist == "odd words"
        parts = _said_in_parts(_grouped(digits, groups), way, draw)
        if twist == "misheard":
            parts = [misheard(part, draw) for part in parts]
        whole = _hesitant([w for part in parts for w in part], draw)
        if twist == "corrected":
            whole = [*whole[:2], *_CORRECTION, *whole]
        form = f"{way}, {flow}" + ("" if twist == "plain" else f", {twist}")
        if flow == "volunteered":
            unasked = _WORDS["odd_carriers"] if odd else said["unasked"]
            return form, [_filled(CUSTOMER, draw.choice(unasked), whole)]
        questions = _WORDS["odd_questions"] if odd else said["questions"]
        lines = [_open(AGENT, draw.choice(questions))]
        if flow == "in groups":
            return form, [*lines, *_in_groups(parts, twist, draw)]
        lines.append(_filled(CUSTOMER, draw.choice(said["carriers"]), whole))
        if draw.random() < 0.3:
            lines.append(_filled(AGENT, "so that was V is that right", whole))
        return form, lines

    return make


def _said_in_parts(groups: Sequence[str], way: str, draw: Random) -> list[list[str]]:
    if way != "typed":
        return [_punctuated(digits_said(group, way, draw), draw) for group in groups]
    if draw.random() < 0.5:
        return [[("-" if draw.random() < 0.6 else "").join(groups)]]
    return [_punctuated(digits_typed(group, draw), draw) for group in groups]


def _punctuated(words: list[str], draw: Random) -> list[str]:
    """Marks as recognisers put them, capitals as well."""
    if draw.random() < 0.5:
        return words
    if draw.random() < 0.3:
        return [f"{word}," for word in words]
    return [
        words[0].capitalize(),
        *words[1:-1],
        *([words[-1] + draw.choice(".,")] * (len(words) > 1)),
    ]


def _in_groups(parts: Sequence[Sequence[str]], twist: str, draw: Random) -> list[Line]:
    lines = []
    for place, part in enumerate(parts):
        lines += [_filled(CUSTOMER, "V", part), _open(AGENT, draw.choice(_WORDS["go_on"]))]
        if place == 0 and twist == "interrupted":
            lines += [
                _open(CUSTOMER, draw.choice(_WORDS["asides"])),
                _open(AGENT, "no problem take your time"),
            ]
    return lines


def _grouped(digits: str, groups: Sequence[int]) -> list[str]:
    found, at = [], 0
    for size in groups:
        found.append(digits[at : at + size])
        at += size
    return found


def _birth(draw: Random) -> tuple[str, list[Line]]:
    day, month, year = draw.randint(1, 28), draw.randint(1, 12), draw.randint(1935, 2006)
    name = _WORDS["months"][month - 1]
    ways = {
        "month day year": [name, *ordinal(day).split(), *year_said(year)],
        "day of month year": [*ordinal(day).split(), "of", name, *year_said(year)],
        "typed with month": [name, f"{day},", str(year)],
        "slashes": [f"{month:02}/{day:02}/{year}"],
        "digits": digits_said(f"{month:02}{day:02}{year}", "single", draw),
        "pairs": digits_said(f"{day:02}{month:02}{year % 100:02}", "pairs", draw),
    }
    form = draw.choice(list(ways))
    said = ways[form]
    the = "the V" if form == "day of month year" else "V"
    if draw.random() < 0.25:
        return f"{form}, volunteered", [
            _filled(CUSTOMER, f"yeah i was born on {the} in leeds", said)
        ]
    question = draw.choice(
        [
            "could you confirm your date of birth for me",
            "and your birthday please",
            "what's your date of birth",
        ]
    )
    carrier = draw.choice(["V", "it's V", "yes uh V", "that would be V thanks"])
    return f"{form}, asked", [
        _open(AGENT, question),
        _filled(CUSTOMER, carrier.replace("V", the), said),
    ]


def _email(draw: Random) -> tuple[str, list[Line]]:
    first, last = draw.choice(_WORDS["first_names"]), draw.choice(_WORDS["last_names"])
    host = draw.choice(["gmail", "hotmail", "yahoo", "outlook", "btinternet", "northline"])
    end = draw.choice([["dot", "com"], ["dot", "co", "dot", "uk"], ["dot", "org"], ["dot", "net"]])
    typed_end = "".join("." if w == "dot" else w for w in end)
    ways = {
        "typed": [f"{first}.{last}@{host}{typed_end}"],
        "said": [first, draw.choice(["dot", "underscore"]), last, "at", host, *end],
        "said, half typed": [first, "at", f"{host}{typed_end}."],
        "spelled": [*letters_said(last, draw), "at", host, *end],
        "with digits": [first, *digits_said(_number(draw, 2), "single", draw), "at", host, *end],
        "joined words": [first, last, "at", host, *end],
    }
    form = draw.choice(list(ways))
    if draw.random() < 0.3:
        carrier = draw.choice(["you can reach me at V if you like", "my email is V okay"])
        return f"{form}, volunteered", [_filled(CUSTOMER, carrier, ways[form])]
    question = draw.choice(
        ["what's your email address", "which email should we use", "can i take your e-mail"]
    )
    carrier = draw.choice(["it's V", "V", "yes that's V", "sure it is V please"])
    return f"{form}, asked", [_open(AGENT, question), _filled(CUSTOMER, carrier, ways[form])]


def _name(draw: Random) -> tuple[str, list[Line]]:
    first, last = draw.choice(_WORDS["first_names"]), draw.choice(_WORDS["last_names"])
    if draw.random() < 0.4:
        spelled = letters_said(last, draw)
        line = _filled(CUSTOMER, "it's V", [last, *spelled])
        return "spelled", [_open(AGENT, "could you spell your last name for me"), line]
    carrier = draw.choice(
        [
            "hi my name is V and i have a question",
            "my name is V",
            "hello my name's V i lost my card",
        ]
    )
    return "introduced", [_filled(CUSTOMER, carrier, [first, last])]


def _address(draw: Random) -> tuple[str, list[Line]]:
    number = str(draw.randint(1, 999))
    said = [number] if draw.random() < 0.5 else digits_said(number, "single", draw)
    street = [
        draw.choice(_WORDS["last_names"]),
        draw.choice(["street", "road", "avenue", "lane", "drive"]),
    ]
    zip_code = digits_said(_number(draw, 5), "single", draw)
    if draw.random() < 0.4:
        lines = [_open(AGENT, "and what is the zip code"), _filled(CUSTOMER, "it's V", zip_code)]
        return "zip code", lines
    carrier = draw.choice(["it's V", "yes i live at V", "V please"])
    return "street", [
        _open(AGENT, "what is your address"),
        _filled(CUSTOMER, carrier, [*said, *street]),
    ]


def _harmless(draw: Random, saying: str) -> list[Line]:
    """Turns that are divided by `|`, the agent's first; N is a small number, M an amount."""
    lines, party = [], AGENT
    for turn in saying.split("|"):
        words: list[str] = []
        for word in turn.split():
            if word == "N":
                words += digits_said(str(draw.randint(2, 9)), "single", draw)
            elif word == "M":
                words += draw.choice(_WORDS["amounts"]).split()
            else:
                words.append(word)
        lines.append(_open(party, " ".join(words)))
        party = CUSTOMER if party == AGENT else AGENT
    return lines


def _any_code(draw: Random) -> tuple[str, tuple[int, ...]]:
    count = draw.choice([3, 3, 4])
    return _number(draw, count), (count,)


def _any_account(draw: Random) -> tuple[str, tuple[int, ...]]:
    count = draw.choice([8, 9, 10])
    return _number(draw, count), (3, 3, count - 6)


PRIVATE: dict[str, _Maker] = {
    "card": _of_digits("card", lambda draw: (_card(draw), (4, 4, 4, 4))),
    "security_code": _of_digits("security_code", _any_code),
    "account": _of_digits("account", _any_account),
    "sort_code": _of_digits("sort_code", lambda draw: (_number(draw, 6), (2, 2, 2))),
    "social_security": _of_digits("social_security", lambda draw: (_number(draw, 9), (3, 2, 4))),
    "phone": _of_digits("phone", lambda draw: (_number(draw, 10, "23456789"), (3, 3, 4))),
    "birth_date": _birth,
    "email": _email,
    "name": _name,
    "address": _address,
}
