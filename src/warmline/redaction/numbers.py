"""Values that are private by what announced them, or by what they are themselves.

What was announced ("your card number?") holds for both parties until something else is announced or
nothing came for a while, so that a number given in groups, asked for and read back, is one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise

from warmline.redaction.book import AFTER, ANSWERED, Form
from warmline.redaction.checks import by_itself, is_card, proven
from warmline.redaction.heard import Finding, Heard, Label, Line, Said
from warmline.redaction.runs import DATE, DIGITS, MIXED, Run, runs
from warmline.redaction.tokens import Sort

# How long the next part of a value is waited for.
_REACH_S = 25.0
# A part that comes when there is enough already is waited for no longer than this.
_MORE_S = 12.0
# Parts of one number that nothing announced are no further apart.
_PART_PAUSE_S = 6.0
# Announcements that follow one another so soon, without a value, are all open.
_TOGETHER_S = 8.0
_ASIDE_S = 3.0
# A longer gap between two parts of one value is not hidden with them.
_MOST_BETWEEN = 5
_DIRECT_BETWEEN = 4
_DIRECT_CHARS = 2
# A value as long as this may stand so many words after what announces it.
_LONG, _CLAUSE = 6, 8
_NAMED_CHARS = 3
# Kinds of which a value may be typed like an amount, "48.21": it is short.
_TYPED_AS_AMOUNT = frozenset({"security_code", "sort_code", "expiry"})
_TYPED_SHORT = frozenset({"card", "security_code", "sort_code", "expiry", "birth_date"})
_MADE = (DIGITS, MIXED, DATE)
_FIGURES_OF_A_YEAR, _FIGURES_OF_A_DAY = 4, 2


# When, labels before runs, what.
_Event = tuple[float, int, Label | Run]


@dataclass
class Value:
    """The runs that may belong together, as they are gathered. Nothing announced: no forms."""

    forms: list[Form | None]
    touched_s: float
    count: int = 0
    runs: list[Run] = field(default_factory=list)

    @property
    def is_private(self) -> bool:
        """Return whether something private was announced."""
        return any(form is not None for form in self.forms)

    @property
    def wait_s(self) -> float:
        """Return how long the next part is waited for."""
        if self.runs:
            return _REACH_S
        return max((form.wait_s for form in self.forms if form), default=_REACH_S)

    def of(self, form: Form) -> list[Run]:
        """Return the runs that such a form may be made of."""
        return [run for run in self.runs if run.made_of == form.made_of and not run.is_loose]


def find_values(said: Said) -> Iterator[Finding]:
    """Yield the private values of a call."""
    number = 0
    for kind, line, first, past in proven(said):
        places = tuple(heard.place for heard in line[first:past])
        yield Finding(kind, line[0].word.party, places, number)
        number += 1
    for value in _values(said):
        by_kind: dict[str, set[int]] = {}
        # What it was announced as may be left alone: then it is what it is by itself.
        for run, kind in chain(_judged(value), _each_by_itself(value)):
            by_kind.setdefault(kind, set()).update(heard.place for heard in run.words)
        party_of = {h.place: run.party for run in value.runs for h in run.line}
        for kind, hidden in by_kind.items():
            hidden |= _between(value.runs, hidden)
            for party in dict.fromkeys(party_of[place] for place in sorted(hidden)):
                places = tuple(place for place in sorted(hidden) if party_of[place] == party)
                yield Finding(kind, party, places, number)
        number += 1


def _values(said: Said) -> Iterator[Value]:
    """Yield the runs of the call that may belong together."""
    of_line = {
        line[0].place: [run for made_of in _MADE for run in runs(line, made_of, said.taken)]
        for line in said.lines
    }
    told = [label for label in said.labels if _counts(label, _beside(label, of_line), said)]
    announced: list[_Event] = [(label.at_s, 0, label) for label in told]
    spoken: list[_Event] = [(run.start_s, 1, run) for found in of_line.values() for run in found]
    yield from _named_after(said, of_line)
    value = Value([], 0.0)
    for at_s, _, event in sorted(chain(announced, spoken), key=lambda e: (e[0], e[1])):
        if isinstance(event, Label):
            value, closed = _opened(event, at_s, value)
            if closed:
                yield closed
        elif not _belongs(event, value):
            if event.made_of == DIGITS:
                yield value
                value = Value([], event.end_s, 0, [event])
        else:
            value.runs.append(event)
            value.touched_s = event.end_s
    yield value


def _opened(label: Label, at_s: float, value: Value) -> tuple[Value, Value | None]:
    """Return the value that is waited for after an announcement, and the one that it ends."""
    is_near = at_s - value.touched_s <= value.wait_s
    if is_near and label.form in value.forms and (label.form or not value.is_private):
        value.touched_s = at_s
        value.count = label.count or value.count
        return value, None
    is_waiting = value.is_private and all(run.is_loose for run in value.runs)
    is_open = is_waiting and at_s - value.touched_s <= _TOGETHER_S
    if label.form is not None and not label.form.most:
        return (value, None) if is_open else (Value([], at_s), value)
    if label.binds == ANSWERED and is_open:
        return value, None
    is_more = is_open and label.form is not None
    if is_more:
        value.forms.append(label.form)
        value.touched_s, value.count = at_s, label.count
        return value, None
    if label.form is None and is_open and (_is_alternative(label) or _is_aside(label, value)):
        return value, None
    return Value([label.form], at_s, label.count), value


def _is_aside(label: Label, value: Value) -> bool:
    """Return whether it only ends what is said of something private: "PIN code for delivery?".

    Or where it stands: "your policy number is at the top of the letter".
    """
    if not label.is_direct:
        return False
    before = [heard.token.bare for heard in label.line[max(0, label.first - 2) : label.first]]
    places, owned = label.words("answers", "places"), label.words("answers", "owned")
    is_place = len(before) > 1 and before[0] in places and before[1] in owned
    if is_place and label.line[label.past - 1].token.mark:
        return True
    return label.ends_turn and (is_place or label.at_s - value.touched_s <= _ASIDE_S)


def _is_alternative(label: Label) -> bool:
    """Return whether "or" stands before it: "account or reference number"."""
    before = label.line[max(0, label.first - 2) : label.first]
    return any(h.token.bare in label.words("answers", "alternatives") for h in before)


def _beside(label: Label, of_line: Mapping[int, Sequence[Run]]) -> list[Run]:
    """The runs of the label's line that lie near it, by the place of the line's first word."""
    return [
        run
        for run in of_line[label.line[0].place]
        if run.at[0] <= label.past + _CLAUSE and run.at[1] >= label.first - _CLAUSE
    ]


def _counts(label: Label, near: Sequence[Run], said: Said) -> bool:
    """Whether an announcement that must stand directly before its value does, or is answered so."""
    if label.binds == AFTER:
        return False
    if label.binds == ANSWERED:
        return _is_answered(label, said) and not _asks_how_much(label)
    if not label.is_direct or label.ends_turn or _is_answered(label, said):
        return True
    for run in near:
        if run.at[0] < label.past or len(run.chars) < _DIRECT_CHARS:
            continue
        gap = label.line[label.past : run.at[0]]
        is_other = label.form is None and _is_one_clause(label.line[label.past - 1 : run.at[0]])
        if len(gap) <= _DIRECT_BETWEEN and (is_other or (label.form and _leads_on(gap))):
            return True
        if label.form and len(run.digits) >= _LONG and _is_one_clause(gap):
            return True
    return False


def _asks_how_much(label: Label) -> bool:
    """Return whether the question is for a quantity, an amount or a time."""
    line, first = label.line, label.first
    while first and not line[first - 1].ends_turn:
        first -= 1
    past = label.past
    while past < len(line) and not line[past - 1].ends_turn:
        past += 1
    quantities = label.words("answers", "quantities")
    return any(heard.token.bare in quantities for heard in line[first:past])


def _is_one_clause(gap: Line) -> bool:
    """Return whether no sentence ends between an announcement and a long value."""
    return len(gap) <= _CLAUSE and not any(h.token.mark in tuple(".?!") for h in gap)


def _leads_on(gap: Line) -> bool:
    """Whether words lead from an announcement to its value: "is", "it was", not "was" alone."""
    between = gap[0].words("numbers", "between") if gap else frozenset()
    return all(
        heard.token.bare in between
        or heard.token.sort is Sort.LINK
        or (heard.token.bare == "was" and at and gap[at - 1].token.bare in ("it", "that", "which"))
        for at, heard in enumerate(gap)
    )


def _is_answered(label: Label, said: Said) -> bool:
    """Return whether the next turn of the other is nothing but a value: "it's 9 0 3 3"."""
    turn = said.next_turn(label)
    if turn is None or label.form is None:
        return False
    line, first, past = turn
    names = ("leads", "courtesies", "around")
    beside = frozenset().union(*(label.words("answers", name) for name in names))
    made_of = label.form.made_of
    parts = [run for run in runs(line[first:past], made_of) if not run.is_amount]
    of_value = {heard.place for run in parts for heard in run.words}
    return bool(parts) and all(
        heard.place in of_value or heard.token.sort is Sort.LINK or heard.token.bare in beside
        for heard in line[first:past]
    )


def _named_after(said: Said, of_line: Mapping[int, Sequence[Run]]) -> Iterator[Value]:
    """Yield values that are said before what they are: "914 is the security code"."""
    for label in said.labels:
        if label.form is None or not label.form.most:
            continue
        for run in _beside(label, of_line):
            gap = [h.token.bare for h in label.line[run.at[1] : label.first]]
            is_long = len(run.chars) >= _NAMED_CHARS
            is_named = (
                is_long and gap and gap[0] in label.words("numbers", "namers") and len(gap) <= 4
            )
            is_known = all(word in label.words("numbers", "before_labels") for word in gap)
            is_after = label.binds == AFTER and run.at[1] == label.first
            if (is_named and is_known) or is_after:
                yield Value([label.form], run.end_s, label.count, [run])


def _belongs(run: Run, value: Value) -> bool:
    if value.forms:
        if run.start_s - value.touched_s > value.wait_s:
            return False
        return any(form is None or form.made_of == run.made_of for form in value.forms) or (
            run.made_of == DIGITS
        )
    if not value.runs or run.made_of != DIGITS:
        return False
    last = value.runs[-1]
    if run.party != last.party or run.start_s - last.end_s > _PART_PAUSE_S:
        return False
    first = last.at[1] if run.line is last.line else 0
    between = run.line[first : run.at[0]]
    joiners = run.line[0].words("numbers", "joiners")
    return all(h.token.sort is Sort.LINK or h.token.bare in joiners for h in between)


def _judged(value: Value) -> Iterator[tuple[Run, str]]:
    """Yield the runs that are to be hidden, each with its kind."""
    if not value.forms:
        shape = by_itself(value.runs)
        yield from ((run, shape) for run in value.runs if shape)
        return
    for form in value.forms:
        if form is not None:
            yield from _fitting(form, value)


def _fitting(form: Form, value: Value) -> Iterator[tuple[Run, str]]:
    """Yield the runs that make up a value of a form, if there is enough of them."""
    said = [run for run in value.of(form) if _may_be_part(run, form)]
    chars = "".join(run.chars for run in said)
    digits = "".join(run.digits for run in said)
    least = min(value.count, form.most) if value.count else form.least
    if form.made_of == DATE:
        if not _is_enough_of_a_date(said, form):
            return
    elif (
        len(chars) < least
        or len(digits) < min(form.digits or 0, least)
        or (form.both and (digits == chars or not digits))
    ):
        return
    enough_s: float | None = None
    gathered = 0
    for run in said:
        size = len(run.chars)
        if enough_s is not None and run.start_s - enough_s > _MORE_S:
            continue
        if run.made_of == DIGITS and is_card(run.digits):
            yield run, "card"
        elif form.kind == "number" or (size > form.most and form.made_of != DATE):
            yield run, by_itself([run]) or form.kind
        else:
            yield run, form.kind
        gathered += size
        if gathered >= max(least, form.least):
            enough_s = run.end_s


def _may_be_part(run: Run, form: Form) -> bool:
    is_typed = run.is_soft and form.kind in _TYPED_AS_AMOUNT
    is_amount = run.is_amount and not (is_typed or form.is_quantity)
    if is_amount or (run.is_soft and form.kind not in _TYPED_SHORT and len(run.chars) <= 4):
        return False
    if run.is_mere_word and not form.both and form.digits:
        return False
    if form.made_of == DATE:
        return run.has_month or len(run.digits) > 1 or run.is_soft
    if form.made_of == DIGITS and run.is_date and form.kind not in ("sort_code", "account"):
        return False
    if run.made_of != DATE and _is_of_date(run):
        return False
    return not (run.is_years and form.least > _FIGURES_OF_A_YEAR and len(run.digits) <= 4)


def _is_of_date(run: Run) -> bool:
    """Return whether it is the day or the year of a date: "2 de março", "January 2019"."""
    (first, past), line = run.at, run.line
    while first and line[first - 1].token.sort is Sort.LINK:
        first -= 1
    if run.is_years and first > 0 and line[first - 1].token.sort is Sort.MONTH:
        return True
    while past < len(line) and line[past].token.sort is Sort.LINK and not line[past - 1].ends_turn:
        past += 1
    is_day = len(run.digits) <= _FIGURES_OF_A_DAY and not line[run.at[1] - 1].token.mark
    return is_day and past < len(line) and line[past].token.sort is Sort.MONTH


def _is_enough_of_a_date(said: Sequence[Run], form: Form) -> bool:
    digits = "".join(run.digits for run in said)
    has_month = any(run.has_month for run in said)
    if form.kind == "expiry" and all(_is_no_expiry(run) for run in said):
        return False
    return (has_month and bool(digits)) or len(digits) >= form.least


def _is_no_expiry(run: Run) -> bool:
    """Return whether it is a year, or the day of a month: cards expire in a month of a year."""
    said = [heard.token for heard in run.words if heard.token.sort is not Sort.LINK]
    is_day = len(said) > 1 and said[-1].sort is Sort.MONTH and len(run.digits) <= _FIGURES_OF_A_DAY
    return is_day or (run.is_years and not run.has_month)


def _between(said: Sequence[Run], hidden: set[int]) -> set[int]:
    """The places of what stands between hidden parts of one value: "no, sorry", "and then"."""
    found: set[int] = set()
    for line in {id(run.line): run.line for run in said}.values():
        bridges = line[0].words("numbers", "bridges")
        parts = [at for at, heard in enumerate(line) if heard.place in hidden]
        for last, at in pairwise(parts):
            gap = line[last + 1 : at]
            spelled = line[at].token.chars
            if len(gap) <= _MOST_BETWEEN and all(
                h.token.bare in bridges or h.token.sort is Sort.LINK or _is_spelled(h, spelled)
                for h in gap
            ):
                found.update(heard.place for heard in gap)
    return found


def _is_spelled(heard: Heard, letters: str) -> bool:
    """Return whether a name is what the letters after it spell: "Lloyd, L O Y D"."""
    token = heard.token
    return token.sort is Sort.WORD and token.is_upper and letters[:1] == token.bare[:1].upper()


def _each_by_itself(value: Value) -> Iterator[tuple[Run, str]]:
    """Yield the numbers that would be hidden without any announcement."""
    is_harmless = bool(value.forms) and not value.is_private
    for run in value.runs:
        if run.made_of != DIGITS:
            continue
        kind = by_itself([run])
        if kind == "card" or (kind and not is_harmless):
            yield run, kind
