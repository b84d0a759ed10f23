"""Numbers that are private, by what announced them or by what they are themselves.

What was announced ("your card number?") holds for both parties until something else is announced or
no number came for a while, so that a number given in groups, asked for and read back, is one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from warmline.redaction.book import kinds, word_list
from warmline.redaction.checks import is_card, is_phone
from warmline.redaction.heard import Finding, Label, Said
from warmline.redaction.runs import Run, runs
from warmline.redaction.tokens import Sort

# How long an announcement, or the last number after it, is waited for.
_REACH_S = 25.0
# Parts of one number that nothing announced are no further apart.
_PART_PAUSE_S = 6.0
# Shorter numbers that nothing announced are nothing private.
LEAST_DIGITS = 7
_BESIDE_NUMBERS = frozenset({"email", "name"})


# When, labels before numbers, what.
_Event = tuple[float, int, Label | Run]


@dataclass
class Value:
    """The numbers that may belong together, as they are gathered. Nothing announced: no kind."""

    kind: str | None
    touched_s: float
    runs: list[Run] = field(default_factory=list)

    @property
    def digits(self) -> str:
        """All digits, in order."""
        return "".join(run.digits for run in self.runs)


def find_numbers(said: Said) -> Iterator[Finding]:
    """The private numbers of a call."""
    for number, value in enumerate(_values(said)):
        by_kind: dict[tuple[str, str], list[int]] = {}
        # What it was announced as may be left alone: then it is what it is by itself.
        for run, kind in chain(_judged(value), _each_by_itself(value)):
            places = by_kind.setdefault((kind, run.party), [])
            places += [heard.place for heard in run.words]
        for (kind, party), places in by_kind.items():
            yield Finding(kind, party, tuple(places), number)


def _values(said: Said) -> Iterator[Value]:
    """Numbers of the call that may belong together."""
    announced: Iterator[_Event] = ((label.at_s, 0, label) for label in said.labels)
    spoken: Iterator[_Event] = ((run.start_s, 1, run) for line in said.lines for run in runs(line))
    value = Value(None, 0.0)
    for at_s, _, event in sorted(chain(announced, spoken), key=lambda e: (e[0], e[1])):
        if isinstance(event, Label):
            if event.kind != value.kind or at_s - value.touched_s > _REACH_S:
                yield value
                value = Value(event.kind, at_s)
            value.touched_s = at_s
        elif not _belongs(event, value):
            yield value
            value = Value(None, event.end_s, [event])
        else:
            value.runs.append(event)
            value.touched_s = event.end_s
    yield value


def _belongs(run: Run, value: Value) -> bool:
    if value.kind is not None and value.kind not in _BESIDE_NUMBERS:
        return run.start_s - value.touched_s <= _REACH_S
    if not value.runs:
        return False
    last = value.runs[-1]
    if run.party != last.party or run.start_s - last.end_s > _PART_PAUSE_S:
        return False
    first = last.at[1] if run.line is last.line else 0
    between = run.line[first : run.at[0]]
    joiners = word_list("numbers", "joiners")
    return all(h.token.sort is Sort.LINK or h.token.bare in joiners for h in between)


def _judged(value: Value) -> Iterator[tuple[Run, str]]:
    """The numbers that are to be hidden, each with its kind."""
    kind = kinds().get(value.kind or "")
    if kind is None or kind.id in _BESIDE_NUMBERS:
        shape = _by_itself(value.runs)
        yield from ((run, shape) for run in value.runs if shape)
        return
    counted = [run for run in value.runs if not run.is_loose]
    if kind.id == "birth_date":
        counted = [run for run in counted if run.has_month or len(run.digits) > 1]
    enough = sum(len(run.digits) for run in counted) >= kind.least
    for run in counted:
        if is_card(run.digits):
            yield run, "card"
        elif len(run.digits) > kind.most:
            yield run, _by_itself([run]) or "number"
        elif enough or (kind.id == "birth_date" and run.has_month):
            yield run, kind.id


def _each_by_itself(value: Value) -> Iterator[tuple[Run, str]]:
    """The numbers that would be hidden without any announcement."""
    for run in value.runs:
        if kind := _by_itself([run]):
            yield run, kind


def _by_itself(said: Sequence[Run]) -> str | None:
    """What kind of thing numbers are that nothing announced; None when they are nothing private."""
    digits = "".join(run.digits for run in said)
    shape = tuple(size for run in said for size in run.shape)
    if is_card(digits):
        return "card"
    if any(run.is_date for run in said):
        return None
    if shape == (3, 2, 4):
        return "social_security"
    if is_phone(digits) or shape in ((3, 4), (3, 3, 4)):
        return "phone"
    return "number" if len(digits) >= LEAST_DIGITS else None
