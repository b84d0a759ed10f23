"""Values that are private by what announced them, or by what they are themselves.

What was announced ("your card number?") holds for both parties until something else is announced or
nothing came for a while, so that a number given in groups, asked for and read back, is one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise

from warmline.redaction.announced import PART_CHARS, beside, counts, named_after
from warmline.redaction.book import ANSWERED, Form
from warmline.redaction.checks import by_itself, is_card, proven
from warmline.redaction.heard import Finding, Heard, Label, Said, turn_around
from warmline.redaction.runs import DATE, DIGITS, MIXED, Run, runs
from warmline.redaction.tokens import Sort
from warmline.redaction.unannounced import (
    birth_dates,
    dates_in_parts,
    expiries,
    is_bare_answer,
    is_harmless,
    is_read_out,
    keyed_in,
    masked,
    named_days,
    repeats,
    with_letters,
)

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
# Kinds of which a value may be typed like an amount, "48.21": it is short.
_TYPED_AS_AMOUNT = frozenset({"security_code", "sort_code", "expiry"})
_TYPED_SHORT = frozenset({"card", "security_code", "sort_code", "expiry", "birth_date"})
_MADE = (DIGITS, MIXED, DATE)
# A card number has as many digits at the least.
_SHORTEST_CARD = 13
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
    is_part: bool = False

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
    found = list(_found_values(said))
    yield from found
    hidden = {place for finding in found for place in finding.places}
    yield from repeats(said, found, hidden)


def _found_values(said: Said) -> Iterator[Finding]:
    number = 0
    for kind, line, first, past in proven(said):
        yield Finding.of(kind, line[first:past], number)
        number += 1
    for value in _values(said):
        by_kind: dict[str, set[int]] = {}
        # What it was announced as may be left alone: then it is what it is by itself.
        for run, kind in chain(_judged(value, said), _each_by_itself(value, said)):
            by_kind.setdefault(kind, set()).update(heard.place for heard in _with_lead(run))
        party_of = {h.place: run.party for run in value.runs for h in run.line}
        for kind, hidden in by_kind.items():
            hidden |= _between(value.runs, hidden)
            for party in dict.fromkeys(party_of[place] for place in sorted(hidden)):
                places = tuple(place for place in sorted(hidden) if party_of[place] == party)
                yield Finding(kind, party, places, number)
        number += 1
    by_build = (
        *(("birth_date", birth_dates(said)), ("birth_date", dates_in_parts(said))),
        ("birth_date", named_days(said)),
        *(("card", masked(said)), ("expiry", expiries(said)), ("security_code", keyed_in(said))),
    )
    for kind, found in by_build:
        for line, first, past in found:
            yield Finding.of(kind, line[first:past], number)
            number += 1


def _values(said: Said) -> Iterator[Value]:
    """Yield the runs of the call that may belong together."""
    of_line = {
        line[0].place: [run for made_of in _MADE for run in runs(line, made_of, said.taken)]
        for line in said.lines
    }
    named = list(named_after(said, of_line))
    corrected = {id(label) for label, _ in named}
    told = [
        replace(label, is_part=True) if id(label) in corrected else label
        for label in said.labels
        if counts(label, beside(label, of_line), said)
    ]
    announced: list[_Event] = [(label.at_s, 0, label) for label in told]
    spoken: list[_Event] = [(run.start_s, 1, run) for found in of_line.values() for run in found]
    for label, found in named:
        yield Value([label.form], found[-1].end_s, label.count, found, label.is_part)
    value = Value([], 0.0)
    held: tuple[Value, Label, int] | None = None
    for at_s, _, event in sorted(chain(announced, spoken), key=lambda e: (e[0], e[1])):
        if held and not _is_of_remark(event, *held[1:]):
            yield value
            value, held = held[0], None
        if isinstance(event, Label) and not held and _is_remark(event, value):
            held = (value, event, _end_of_remark(event, of_line[event.line[0].place]))
            value = Value([None], at_s)
        elif isinstance(event, Label):
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
    if held:
        yield held[0]


def _is_remark(label: Label, value: Value) -> bool:
    """Return whether something else is only mentioned while a value is waited for."""
    first, past = label.sentence
    is_question = any(heard.token.mark == "?" for heard in label.line[first:past])
    is_waited_for = value.is_private and label.at_s - value.touched_s <= value.wait_s
    if label.form is not None or not label.is_direct or is_question or not is_waited_for:
        return False
    if _is_aside(label, value):
        return False
    digits = sum(len(run.digits) for run in value.runs if run.made_of == DIGITS)
    least = [_SHORTEST_CARD if f.kind == "card" else f.least for f in value.forms if f]
    return digits < max(least)


def _end_of_remark(label: Label, said: Sequence[Run]) -> int:
    """Return where a remark ends: with its turn if it has a number, else with its sentence."""
    first, past = label.sentence
    has_number = any(first <= run.at[0] < past for run in said)
    return label.turn[1] if has_number else past


def _is_of_remark(event: Label | Run, label: Label, past: int) -> bool:
    first = event.first if isinstance(event, Label) else event.at[0]
    return event.line is label.line and first < past


def _opened(label: Label, at_s: float, value: Value) -> tuple[Value, Value | None]:
    """Return the value that is waited for after an announcement, and the one that it ends."""
    is_near = at_s - value.touched_s <= value.wait_s
    if is_near and label.form in value.forms and (label.form or not value.is_private):
        value.touched_s = at_s
        value.count = label.count or value.count
        value.is_part = value.is_part or label.is_part
        return value, None
    is_waiting = value.is_private and all(run.is_loose for run in value.runs)
    is_open = is_waiting and at_s - value.touched_s <= _TOGETHER_S
    if label.form is not None and not label.form.most:
        # "HARGR, that's the surname bit, then 804127".
        goes_on = is_open or (value.is_private and is_near and not label.asks)
        return (value, None) if goes_on else (Value([], at_s), value)
    if label.binds == ANSWERED and is_open:
        return value, None
    is_more = is_open and label.form is not None
    if is_more:
        value.forms.append(label.form)
        value.touched_s, value.count = at_s, label.count
        value.is_part = value.is_part or label.is_part
        return value, None
    if label.form is None and is_open and (_is_alternative(label) or _is_aside(label, value)):
        return value, None
    return Value([label.form], at_s, label.count, [], label.is_part), value


def _is_aside(label: Label, value: Value) -> bool:
    """Return whether it only ends what is said of something private: "PIN code for delivery?".

    Or where it stands: "your policy number is at the top of the letter".
    """
    before = [heard.token.bare for heard in label.line[max(0, label.first - 2) : label.first]]
    if set(before) & label.words("answers", "accompanied"):
        # "Your mobile, with the country code?"
        return True
    if not label.is_direct:
        return False
    places, owned = label.words("answers", "places"), label.words("answers", "owned")
    is_place = len(before) > 1 and before[0] in places and before[1] in owned
    following = label.line[label.past : label.past + 1]
    is_told = any(h.token.bare in label.words("numbers", "is") for h in following)
    if is_place and (label.line[label.past - 1].token.mark or is_told):
        return True
    return label.ends_turn and (is_place or label.at_s - value.touched_s <= _ASIDE_S)


def _is_alternative(label: Label) -> bool:
    """Return whether "or" stands before it: "account or reference number"."""
    before = label.line[max(0, label.first - 2) : label.first]
    return any(h.token.bare in label.words("answers", "alternatives") for h in before)


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


def _judged(value: Value, said: Said) -> Iterator[tuple[Run, str]]:
    """Yield the runs that are to be hidden, each with its kind."""
    if not value.forms:
        private = [run for run in value.runs if not is_harmless(run, said)]
        shape = by_itself(private)
        if shape is None and any(_is_surely_value(run, said) for run in private):
            shape = "number"
        yield from ((_whole(run, shape), shape) for run in private if shape)
        return
    for form in value.forms:
        if form is not None:
            yield from _fitting(form, value)


def _fitting(form: Form, value: Value) -> Iterator[tuple[Run, str]]:
    """Yield the runs that make up a value of a form, if there is enough of them."""
    said = [run for run in value.of(form) if _may_be_part(run, form, value.is_part)]
    chars = "".join(run.chars for run in said)
    digits = "".join(run.digits for run in said)
    least = min(value.count, form.most) if value.count else form.least
    if value.is_part:
        least = 1 if any(run.is_turn for run in said) else min(least, PART_CHARS)
    if form.made_of == DATE:
        if len(digits) < form.digits or not _is_enough_of_a_date(said, form, value.is_part):
            return
    elif len(chars) < least or not (_is_part_of_code(said, value) or _is_built(form, said, least)):
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


def _is_built(form: Form, said: Sequence[Run], least: int) -> bool:
    """Return whether a value has the digits, and the letters, that it needs."""
    chars = "".join(run.chars for run in said)
    digits = "".join(run.digits for run in said)
    has_both = not form.both or (digits != chars and bool(digits))
    return len(digits) >= min(form.digits or 0, least) and has_both


def _is_part_of_code(said: Sequence[Run], value: Value) -> bool:
    """Return whether letters or digits are read out as a part of a value: "starts with K, R, T"."""
    return value.is_part and any(len(run.words) > 1 and len(run.chars) > 1 for run in said)


def _may_be_part(run: Run, form: Form, is_part: bool) -> bool:
    is_typed = run.is_soft and form.kind in _TYPED_AS_AMOUNT
    is_amount = run.is_amount and not (is_typed or form.is_quantity)
    if is_amount or (run.is_soft and form.kind not in _TYPED_SHORT and len(run.chars) <= 4):
        return False
    if run.is_mere_word and not (form.both or _is_clause(run)) and form.digits:
        return False
    if form.made_of == DATE:
        is_named = is_part or _is_denied_day(run)
        is_day = is_named and any(h.token.sort is Sort.ORDINAL for h in run.words)
        return run.has_month or len(run.digits) > 1 or run.is_soft or is_day
    if form.made_of == DIGITS and run.is_date and form.kind not in ("sort_code", "account"):
        return False
    if run.made_of != DATE and _is_of_date(run):
        return False
    return not (run.is_years and form.least > _FIGURES_OF_A_YEAR and len(run.digits) <= 4)


def _is_denied_day(run: Run) -> bool:
    """Return whether a day corrects another: "No, it's the sixth"."""
    first, _ = turn_around(run.line, run.at[0])
    before = [heard.token.bare for heard in run.line[first : run.at[0]]]
    denials, leads = (run.line[0].words("answers", n) for n in ("denials", "leads"))
    is_led = all(word in leads or word in denials for word in before)
    return bool(before) and before[0] in denials and is_led


def _is_clause(run: Run) -> bool:
    """Return whether letters stand between pauses: "it's long. HARGR, then 804127"."""
    (first, past), line = run.at, run.line
    begins = first == 0 or line[first - 1].ends_turn or bool(line[first - 1].token.mark)
    is_letters = any(heard.token.sort is Sort.ACRONYM for heard in run.words)
    return is_letters and begins and bool(line[past - 1].token.mark)


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


def _is_enough_of_a_date(said: Sequence[Run], form: Form, is_part: bool) -> bool:
    digits = "".join(run.digits for run in said)
    has_month = any(run.has_month for run in said)
    if form.kind == "expiry" and all(_is_no_expiry(run) for run in said):
        return False
    if is_part and said:
        return has_month or len(digits) > 1 or form.kind == "birth_date"
    return (has_month and bool(digits)) or len(digits) >= form.least


def _is_no_expiry(run: Run) -> bool:
    """Return whether it is a year, or the day of a month: cards expire in a month of a year."""
    said = [heard.token for heard in run.words if heard.token.sort is not Sort.LINK]
    is_short = 0 < len(run.digits) <= _FIGURES_OF_A_DAY
    is_day = len(said) > 1 and said[-1].sort is Sort.MONTH and is_short
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


def _is_surely_value(run: Run, said: Said) -> bool:
    return is_read_out(run) or is_bare_answer(run, said)


def _whole(run: Run, kind: str) -> Run:
    return with_letters(run) if kind == "number" else run


def _with_lead(run: Run) -> Sequence[Heard]:
    """Return the words of a value with what it is led by: "area code three one two"."""
    phrases = {tuple(p.split()) for p in run.line[0].words("numbers", "lead_phrases")}
    first, _ = run.at
    before = tuple(heard.token.bare for heard in run.line[max(0, first - 2) : first])
    return (*run.line[first - 2 : first], *run.words) if before in phrases else run.words


def _each_by_itself(value: Value, said: Said) -> Iterator[tuple[Run, str]]:
    """Yield the numbers that would be hidden without any announcement."""
    is_other = bool(value.forms) and not value.is_private
    for run in value.runs:
        if run.made_of != DIGITS or is_harmless(run, said):
            continue
        kind = by_itself([run])
        if kind is None and _is_surely_value(run, said):
            kind = "number"
        if kind == "card" or (kind and not is_other):
            yield _whole(run, kind), kind
