"""What was announced: which announcements count, and the values that belong to them.

What was announced ("your card number?") holds for both parties until something else is announced or
nothing came for a while, so that a number given in groups, asked for and read back, is one.
An announcement may need its value directly behind it, in the next sentence, or in the answer; a
value may be named after it, or be asked about: "four four one two, that's the PIN".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from warmline.redaction.book import ADJACENT, AFTER, ANSWERED, Form
from warmline.redaction.heard import Label, Line, Said
from warmline.redaction.runs import DATE, DIGITS, MIXED, Run, runs
from warmline.redaction.tokens import Sort

# Words between an announcement and its value, and in a clause about either.
_DIRECT_BETWEEN, _CLAUSE = 4, 8
_DIRECT_CHARS = 2
# A value as long as this may stand a clause after what announces it.
_LONG = 6
_NAMED_CHARS = 3
# A code that is told later in a turn has as many digits, and is no more words away.
_CODE, _LATER = 4, 18
# An answer may come after other talk for so long; what is asked in one breath is one question.
_ANSWERED_S, _SAME_S = 40.0, 4.0
# Between a value and its name there are no more words than these.
_NAMING = 7
#: Of a value of which only a part is said there are as many characters at the least.
PART_CHARS = 2
# What stands alone in a sentence is surely a value if it is as long as this.
_SURE_CHARS = 5
# A sentence of no more words may stand between an announcement and its value ("Ready?"), and so
# many words may follow the value in its own.
_SHORT_SENTENCE, _TAIL = 3, 2

# The runs of each line, by the place of its first word.
RunsOfLine = Mapping[int, Sequence[Run]]


def _beside(label: Label, of_line: RunsOfLine) -> list[Run]:
    """Return the runs of an announcement's line that lie near it."""
    return [
        run
        for run in of_line[label.line[0].place]
        if run.at[0] <= label.past + _CLAUSE and run.at[1] >= label.first - _CLAUSE
    ]


def _counts(label: Label, near: Sequence[Run], said: Said) -> bool:
    """Return whether an announcement counts: one may have to stand directly before its value."""
    if label.binds == AFTER:
        return False
    if label.binds == ANSWERED:
        is_date = label.form is not None and label.form.made_of == DATE
        return _is_answered(label, said) and (is_date or not _asks_how_much(label))
    if label.binds == ADJACENT:
        return any(
            run.at[0] == label.past
            and not (run.is_loose or run.is_years or run.is_round)
            and label.form is not None
            and run.made_of == label.form.made_of
            and (len(run.chars) >= label.form.least or run.made_of == DATE or _is_part(run, label))
            for run in near
        )
    if not label.is_direct or label.ends_turn:
        return True
    if _is_answered(label, said) and not _asks_when(label):
        return True
    if _is_told_next(label, near) or _is_told_aside(label, near):
        return True
    if _is_told_later(label, said) or _is_answered_later(label, said):
        return True
    for run in near:
        if run.at[0] < label.past or (len(run.chars) < _DIRECT_CHARS and not run.has_month):
            continue
        gap = label.line[label.past : run.at[0]]
        is_other = label.form is None and _is_one_clause(label.line[label.past - 1 : run.at[0]])
        if len(gap) <= _DIRECT_BETWEEN and (is_other or (label.form and _leads_on(gap))):
            return True
        if label.form and len(run.digits) >= _LONG and _is_one_clause(gap):
            return True
    return False


def _is_part(run: Run, label: Label) -> bool:
    """Return whether it is two digits or more, read out, of a value that is told in part."""
    return label.is_part and len(run.words) > 1 and len(run.chars) >= PART_CHARS


def _is_told_next(label: Label, near: Sequence[Run]) -> bool:
    """Return whether a sentence after its own is nothing but a value: "... my PIN. It's 4412"."""
    line, begin = label.line, label.sentence[1]
    if begin - label.past > _CLAUSE:
        return False
    names = ("leads", "courtesies", "around")
    beside = frozenset().union(*(label.words("answers", name) for name in names))
    for _ in range(2):
        end = _end_of_sentence(line, begin)
        runs_in = [r for r in near if begin <= r.at[0] and r.at[1] <= end and not r.is_loose]
        if len(runs_in) and max(len(r.chars) for r in runs_in) >= _NAMED_CHARS:
            first, last = runs_in[0].at[0], max(r.at[1] for r in runs_in)
            lead = [heard.token.bare for heard in line[begin:first]]
            is_led = all(
                h.token.bare in beside or h.token.sort is Sort.LINK for h in line[begin:first]
            )
            if label.form is None and not set(lead) & label.words("answers", "pointers"):
                return False
            is_over = end - last <= _TAIL or bool(line[last - 1].token.mark)
            return is_led and is_over
        if end - begin > _SHORT_SENTENCE:
            return False
        begin = end
    return False


def _end_of_sentence(line: Line, begin: int) -> int:
    end = begin
    while end < len(line):
        end += 1
        if line[end - 1].token.mark in tuple(".?!") or line[end - 1].ends_turn:
            break
    return end


def _is_told_aside(label: Label, near: Sequence[Run]) -> bool:
    """Return whether a clause about it stands before the value: "the PIN you gave me, 0073"."""
    asides, entered = label.words("numbers", "asides"), label.words("numbers", "entered")
    for run in near:
        gap = label.line[label.past : run.at[0]]
        if label.form is None or not gap or len(gap) > _CLAUSE or run.is_loose:
            continue
        if len(run.chars) < _NAMED_CHARS or run.at[0] < label.past:
            continue
        bare = [heard.token.bare for heard in gap]
        is_entered = label.form.kind == "security_code" and _is_entered(bare, entered)
        leads_on = gap[-1].token.mark == "," or bare[-1] in label.words("numbers", "is")
        is_owned = bare[0] in label.words("numbers", "clauses")
        if is_entered or (is_owned and leads_on and all(word in asides for word in bare)):
            return True
        if is_owned and _is_apposition(run, label):
            return True
    return False


def _is_apposition(run: Run, label: Label) -> bool:
    """Return whether a value stands between pauses: "the PIN you posted me, 9 0 2 6, doesn't"."""
    least = _NAMED_CHARS if label.form and label.form.kind == "security_code" else _CODE
    before, last = run.line[run.at[0] - 1], run.line[run.at[1] - 1]
    is_apart = before.token.mark == "," and bool(last.token.mark or last.ends_turn)
    is_value = len(run.digits) >= least and run.made_of != DATE and not run.is_soft
    return is_apart and is_value and not (run.is_years or run.is_round or run.is_amount)


def _is_told_later(label: Label, said: Said) -> bool:
    """Return whether a code is told later in its turn: "the default PIN was 1234, now it's"."""
    if label.form is None or label.form.kind != "security_code" or label.asks:
        return False
    _, past = label.turn
    for run in runs(label.line, label.form.made_of, said.taken):
        is_code = len(run.digits) >= _CODE and not (run.is_loose or run.is_soft or run.is_round)
        if is_code and label.past < run.at[0] <= min(label.past + _LATER, past - 1):
            before = label.line[run.at[0] - 1].token.bare
            return before in label.words("numbers", "is") | {"now", "to"}
    return False


def _is_answered_later(label: Label, said: Said) -> bool:
    """Return whether a value answers a question after some talk: "let me find it. 7720 1 4"."""
    if label.form is None or not label.form.most or not label.asks or label.form.made_of == DATE:
        return False
    if _asks_how_much(label) or _asks_when(label):
        return False
    for line, first, past in said.turns_after(label, _ANSWERED_S):
        at_s = line[first].word.start_s
        if any(
            other.party == label.party and other.asks and label.at_s + _SAME_S < other.at_s < at_s
            for other in said.labels
            if other.form is None or other.form.kind not in (label.form.kind, "number")
        ):
            return False
        if _tells_value(label, line, first, past):
            return True
    return False


def _tells_value(label: Label, line: Line, first: int, past: int) -> bool:
    """Return whether a sentence of a turn is a value, or begins with one and a pause."""
    if label.form is None:
        return False
    beside = line[0].words("answers", "leads") | line[0].words("answers", "around")
    least = max(_CODE, label.form.least)
    while first < past:
        end = min(_end_of_sentence(line, first), past)
        sentence = line[first:end]
        for run in runs(sentence, label.form.made_of):
            lead = sentence[: run.at[0]]
            is_led = all(h.token.bare in beside or h.token.sort is Sort.LINK for h in lead)
            is_value = len(run.chars) >= least and bool(run.digits) and not run.is_years
            is_value &= not (run.is_loose or run.is_amount or run.is_soft or run.is_round)
            last = [h for h in run.words if h.token.sort is not Sort.LINK][-1]
            if is_value and is_led and (last.token.mark or last.ends_turn):
                return True
        first = end
    return False


def _is_entered(bare: Sequence[str], entered: frozenset[str]) -> bool:
    """Return whether the last words say that something was keyed in: "I typed in"."""
    return any(word in entered for word in bare[-2:])


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


def _asks_when(label: Label) -> bool:
    """Return whether the question is for a year, which is no account: "what year is it from?"."""
    first, past = label.turn
    bare = {heard.token.bare for heard in label.line[first:past]}
    is_date = label.form is not None and label.form.made_of == DATE
    return not is_date and bool(bare & label.words("answers", "dates"))


def _is_one_clause(gap: Line) -> bool:
    """Return whether no sentence ends between an announcement and a long value."""
    return len(gap) <= _CLAUSE and not any(h.token.mark in tuple(".?!") for h in gap)


def _leads_on(gap: Line) -> bool:
    """Return whether words lead to an announced value: "is", "it was", not "was" alone."""
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

    def is_value(first: int, past: int) -> bool:
        return all(
            heard.place in of_value or heard.token.sort is Sort.LINK or heard.token.bare in beside
            for heard in line[first:past]
        )

    if parts and is_value(first, past):
        return True
    # "The home one. It's P L four four one two."
    begin = first
    while first < past:
        end = min(_end_of_sentence(line, first), past)
        chars = sum(len(run.chars) for run in parts if first <= run.at[0] + begin < end)
        if chars >= _SURE_CHARS and is_value(first, end):
            return True
        first = end
    return False


def _named_after(said: Said, of_line: RunsOfLine) -> Iterator[tuple[Label, list[Run]]]:
    """Yield announcements with values before them: "914 is the security code"."""
    for label in said.labels:
        if label.form is None or not label.form.most:
            continue
        for run in _beside(label, of_line):
            if run.at[1] <= label.first and _is_named(run, label):
                yield label, [run, *_instead(run, of_line)]
        if label.binds != AFTER and (asked := _asked_about(label, said, of_line)):
            yield label, asked


def _is_named(run: Run, label: Label) -> bool:
    """Return whether a label says what a value before it is."""
    if label.binds == AFTER:
        return run.at[1] == label.first
    gap = label.line[run.at[1] : label.first]
    bare = [heard.token.bare for heard in gap]
    is_long = len(run.chars) >= _NAMED_CHARS or (len(run.words) > 1 and label.form is not None)
    if label.form is not None and label.form.kind == "security_code" and not run.is_loose:
        before = [heard.token.bare for heard in run.line[max(0, run.at[0] - 2) : run.at[0]]]
        refused = label.words("numbers", "refused")
        keyed = label.words("numbers", "entered") | label.words("numbers", "tried")
        is_entered = _is_entered(before, keyed)
        if is_entered and len(gap) <= 2 * _CLAUSE and any(word in refused for word in bare[-3:]):
            return True
    # Before the name may stand a word about it: "for the telly PIN".
    rest = bare[:-1] if len(bare) > 1 else bare
    is_known = all(word in label.words("numbers", "before_labels") for word in rest)
    if not is_long or not is_known or len(gap) > _NAMING:
        return False
    is_linked = run.words[-1].token.is_named or (
        gap and bare[0] in label.words("numbers", "namers")
    )
    if is_linked:
        return True
    # "I think it was four four one two, the PIN."
    owned = (*bare, label.line[label.first].token.bare)
    if not _ends_soon(label):
        return False
    if not gap and run.made_of == DATE and run.has_month:
        return True
    owners = label.words("answers", "owned") | label.words("answers", "owners")
    return run.words[-1].token.mark == "," and not run.is_round and owned[0] in owners


def _ends_soon(label: Label) -> bool:
    """Return whether its sentence ends with it, or with "I mean"."""
    rest = [heard.token.bare for heard in label.line[label.past : label.sentence[1]]]
    return not rest or rest == ["i", "mean"] or bool(label.line[label.past - 1].token.mark)


def _instead(run: Run, of_line: RunsOfLine) -> list[Run]:
    """Return what a value was instead of: "eleven at the end rather than ten"."""
    for other in of_line[run.line[0].place]:
        gap = [heard.token.bare for heard in run.line[run.at[1] : other.at[0]]]
        alternatives = run.line[0].words("numbers", "instead")
        if (
            other.made_of == run.made_of
            and other.at[0] > run.at[1]
            and len(gap) <= _NAMING
            and any(word in alternatives for word in gap[-2:])
            and abs(len(other.chars) - len(run.chars)) <= 1
        ):
            return [other]
    return []


def _asked_about(label: Label, said: Said, of_line: RunsOfLine) -> list[Run]:
    """Return the value of the turn before, which somebody asks about: "is that the sort code?"."""
    first, _ = label.turn
    before = [heard.token.bare for heard in label.line[first : label.first]]
    words = label.words("answers", "asking_back")
    if not all(word in words for word in before) or label.form is None or not label.ends_turn:
        return []
    own = [h.token.bare for h in label.line[label.first : label.past]]
    if not any(word in label.words("answers", "pointers") for word in (*before, *own)):
        return []
    turn = said.turn_before(label.line, first)
    if turn is None:
        return []
    line, begin, past = turn
    found = [
        run
        for run in of_line[line[0].place]
        if run.made_of == label.form.made_of and begin <= run.at[0] < past and not run.is_amount
    ]
    chars = sum(len(run.chars) for run in found)
    return found if max(label.form.least, _NAMED_CHARS) <= chars <= label.form.most else []


# The values of a call: what was announced, and the runs that belong to it.


# How long the next part of a value is waited for.
_REACH_S = 25.0
# Parts of one number that nothing announced are no further apart.
_PART_PAUSE_S = 6.0
# Announcements that follow one another so soon, without a value, are all open.
_TOGETHER_S = 8.0
_ASIDE_S = 3.0
_MADE = (DIGITS, MIXED, DATE)
# A card number has as many digits at the least.
_SHORTEST_CARD = 13


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


def values_of(said: Said) -> Iterator[Value]:
    """Yield the runs of the call that may belong together."""
    of_line = {
        line[0].place: [run for made_of in _MADE for run in runs(line, made_of, said.taken)]
        for line in said.lines
    }
    named = list(_named_after(said, of_line))
    corrected = {id(label) for label, _ in named}
    told = [
        replace(label, is_part=True) if id(label) in corrected else label
        for label in said.labels
        if _counts(label, _beside(label, of_line), said)
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
