"""Places and paths of SVG: a call on its line of time, waveforms, arcs, intervals and trends.

Everything is given in percent of the width, so that a drawing fits whatever it is shown on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmline.query.calls import CallPage, clock
from warmline.statistics import wilson
from warmline.web.language import words

Row = dict[str, Any]

_TICKS_S = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_MOST_TICKS = 8
_LEAST_PERCENT = 0.15
#: With fewer feelings that could be answered nothing is compared, as in `agent_week`.
LEAST_FEELINGS = 10
_MOST_LABELS = 10
_LEAST_ROOM = 0.08  # of the width: an interruption with less room for it has no name beside it
_LEAST_ARC_LABELLED = 50  # thousandths of the width: shorter ones say it in the table

SILENCE_NAMES = {"dead_air": "dead air", "hold": "hold"}
OVERLAP_NAMES = {
    "backchannel": "backchannel",
    "terminal_overlap": "terminal overlap",
    "interruption": "interruption",
    "other": "overlap",
    "unsure": "overlap of unsure kind",
}


@dataclass(frozen=True)
class Mark:
    """Something that lasts from one second to another, and what it is called.

    `who` stands beside it, where there is room for a name: who interrupts.
    """

    kind: str
    label: str
    start_s: float
    end_s: float
    left: str
    width: str
    who: str = ""
    is_named_before: bool = False


@dataclass(frozen=True)
class Arc:
    """A cue joined to its answer: a path in a box of 1000 by 100, and what it says."""

    index: int
    path: str
    label: str
    start_s: float
    answered: bool | None
    left: str
    middle: str
    latency: str
    end_s: float | None = None


@dataclass(frozen=True)
class Lane:
    """One party's line: who it is, and its turns as a path in a box as wide as the call is long."""

    party: str
    name: str
    role: str
    path: str


@dataclass(frozen=True)
class Timeline:
    """A call as it is drawn: lanes, what lies between them, and the arcs from cue to answer."""

    duration_s: float
    ticks: tuple[Mark, ...]
    lanes: tuple[Lane, ...]
    events: tuple[Mark, ...]
    arcs: tuple[Arc, ...]

    @property
    def by_time(self) -> list[Mark | Arc]:
        """Return what is drawn between the lanes and below them, in order of time."""
        return sorted((*self.events, *self.arcs), key=lambda each: each.start_s)


def timeline(page: CallPage) -> Timeline | None:
    """Return the drawing of a call; None for one that has no length or no turns."""
    duration_s = page.call["duration_s"]
    if not duration_s or not page.turns:
        return None
    lanes = tuple(
        Lane(
            row["party"],
            page.name_of(row["party"]),
            row["role"] or "unknown",
            _turns_path([t for t in page.turns if t["party"] == row["party"]], duration_s),
        )
        for row in page.parties
    )
    return Timeline(duration_s, _ticks(duration_s), lanes, tuple(events(page)), tuple(arcs(page)))


def events(page: CallPage) -> list[Mark]:
    """Return silences and overlaps in order of time, each with what it is called."""
    duration_s = page.call["duration_s"] or 1.0
    marks = [
        _mark(row["kind"], SILENCE_NAMES[row["kind"]], row, duration_s)
        for row in page.silences
        if row["kind"] in SILENCE_NAMES
    ]
    marks += [
        replace(
            _mark(_overlap_kind(row), _overlap_label(page, row), row, duration_s),
            who=page.name_of(row["entrant"]) if row["kind"] == "interruption" else "",
        )
        for row in page.overlaps
    ]
    return _with_room(sorted(marks, key=lambda mark: mark.start_s), duration_s)


def _with_room(marks: Sequence[Mark], duration_s: float) -> list[Mark]:
    """Return marks, each with the name beside it on the side where there is room, if there is."""
    signs = [0.0, *(mark.start_s for mark in marks if mark.kind != "overlap"), duration_s]
    least_s = _LEAST_ROOM * duration_s

    def is_free(mark: Mark, first_s: float, last_s: float) -> bool:
        return not any(first_s <= t <= last_s and t != mark.start_s for t in signs)

    found = []
    for mark in marks:
        if mark.who and not is_free(mark, mark.start_s, mark.start_s + least_s):
            has_room = is_free(mark, mark.start_s - least_s, mark.start_s)
            mark = replace(mark, who=mark.who if has_room else "", is_named_before=has_room)
        found.append(mark)
    return found


def interruptions_by_turn(page: CallPage) -> dict[int, list[Row]]:
    """Return the interruptions of each turn that has some, each with who interrupts whom."""
    found: dict[int, list[Row]] = {}
    for row in page.overlaps:
        if row["kind"] == "interruption" and row["turn_index"] is not None:
            said = row | {"sentence": _who_interrupts(page, row)}
            found.setdefault(row["turn_index"], []).append(said)
    return found


def _who_interrupts(page: CallPage, row: Row) -> str:
    return f"{page.name_of(row['entrant'])} interrupts {page.name_of(row['holder'])}"


def _turns_path(turns: Sequence[Row], duration_s: float) -> str:
    """The outline of turns, from the first second to the last, in a box that is 46 high."""
    least = duration_s * _LEAST_PERCENT / 100
    spans = ((turn["start_s"], max(turn["end_s"] - turn["start_s"], least)) for turn in turns)
    return "".join(f"M{start:.2f} 1h{width:.2f}v44h-{width:.2f}z" for start, width in spans)


def waveform(peaks: NDArray[np.int8]) -> str:
    """Return the outline of levels, shape (columns, 2), as a path in a box of columns by 256.

    The loudest column fills the box: parties are recorded at levels of their own.
    """
    drawn = peaks.astype(np.float32) * (120 / max(int(np.abs(peaks.astype(np.int16)).max()), 8))
    lows, highs = (-drawn.astype(np.int16)).T.tolist()
    tops = [f"{i} {high}" for i, high in enumerate(highs)]
    bottoms = [f"{i} {low}" for i, low in enumerate(lows)]
    return f"M{' L'.join([*tops, *reversed(bottoms)])}Z"


def quiet_outside(peaks: NDArray[np.int8], spans: Sequence[Row], duration_s: float) -> None:
    """Set the levels outside of the spans to zero: of a mix, a party has what it spoke itself."""
    columns = peaks.shape[0]
    inside = np.zeros(columns, dtype=bool)
    for span in spans:
        first = int(span["start_s"] / duration_s * columns)
        inside[first : int(span["end_s"] / duration_s * columns) + 1] = True
    peaks[~inside] = 0


@dataclass(frozen=True)
class Interval:
    """A value with its interval on a scale from 0 to 100 %, and how it is read out."""

    name: str
    value: str
    left: str
    right: str
    width: str
    text: str


def interval(
    name: str, low: float | None, value: float | None, high: float | None, text: str
) -> Interval | None:
    """Return a value with its interval on a scale from 0 to 1; None when it cannot be said."""
    if value is None or low is None or high is None:
        return None
    return Interval(
        name, _percent(value), _percent(low), _percent(high), _percent(high - low), text
    )


def interval_on(
    name: str, bounds: tuple[float, float], low: float, value: float, high: float, text: str
) -> Interval | None:
    """Return a value with its interval on the scale between these bounds."""
    least, most = bounds
    scaled = [(x - least) / (most - least) for x in (low, value, high)]
    low, value, high = (min(max(x, 0.0), 1.0) for x in scaled)
    return interval(name, low, value, high, text)


@dataclass(frozen=True)
class TrendPoint:
    """A week of a trend: its day where there is room, its place, value, interval, and its words.

    `follows` the point before it where that is of the week before: a line is drawn between these.
    """

    labelled: date | None
    x: str
    y: str
    low: str
    high: str
    height: str
    text: str
    follows: bool


def trend(rows: Sequence[Row]) -> list[TrendPoint]:
    """Return the weeks of `answered_rate` with its interval, oldest first, from left to right."""
    dated = sorted((r for r in rows if r["week"] is not None), key=lambda r: r["week"])
    if not dated:
        return []
    first, points, drawn = dated[0]["week"], [], -2
    weeks = (dated[-1]["week"] - first).days // 7 + 1
    labelled = -(-weeks // _MOST_LABELS)  # every week, every second one, ...
    for row in dated:
        number = (row["week"] - first).days // 7
        rate, low, high = row["answered_rate"], row["answered_low"], row["answered_high"]
        if rate is None or low is None or high is None:
            continue
        x = (number + 0.5) / weeks
        points.append(
            TrendPoint(
                None if number % labelled else row["week"],
                _percent(x),
                _percent(1 - rate),
                _percent(1 - low),
                _percent(1 - high),
                _percent(high - low),
                f"week of {row['week']}: {rate:.0%}, {low:.0%} to {high:.0%}, "
                f"{row['answered']:.0f} of {row['answerable']:.0f} feelings answered",
                number == drawn + 1,
            )
        )
        drawn = number
    return points


@dataclass(frozen=True)
class Change:
    """The latest week beside the weeks before, whose share is of their sums.

    `low` and `high` are the 95 % interval of the difference of both shares. `way` is `higher` or
    `lower` where it leaves out 0, `none` where it does not, and `few` where either side has fewer
    than `LEAST_FEELINGS` feelings that could be answered: then nothing is compared.
    """

    week: date
    weeks: int
    answerable: float
    answerable_before: float
    before: float
    low: float
    high: float
    way: str


def change(rows: Sequence[Row]) -> Change | None:
    """Return how the latest week compares with all before it; None where there is nothing before.

    Both shares have chance in them, and both have Wilson's interval, at as many feelings as they
    are worth; that of their difference is after Newcombe 1998, method 10.
    """
    dated = sorted((r for r in rows if r["week"] is not None), key=lambda r: r["week"])
    rated = [r for r in dated if r["answered_rate"] is not None and r["answered_low"] is not None]
    if len(rated) < 2:
        return None
    *earlier, last = rated
    answered, answerable = (sum(r[part] for r in earlier) for part in ("answered", "answerable"))
    worth = max(r["design_effect"] for r in rated)
    before = wilson(answered / worth, answerable / worth)
    if before is None or before.low is None or before.high is None:
        return None
    value, low, high = (last[part] for part in ("answered_rate", "answered_low", "answered_high"))
    least = value - before.value - hypot(value - low, before.high - before.value)
    most = value - before.value + hypot(high - value, before.value - before.low)
    way = "higher" if least > 0 else "lower" if most < 0 else "none"
    if min(last["answerable"], answerable) < LEAST_FEELINGS:
        way = "few"
    counts = last["answerable"], answerable
    return Change(last["week"], len(earlier), *counts, before.value, least, most, way)


def _percent(share: float) -> str:
    return f"{100 * share:.3f}%"


def _mark(kind: str, label: str, row: Row, duration_s: float) -> Mark:
    start, end = row["start_s"], row["end_s"]
    width = max(100 * (end - start) / duration_s, _LEAST_PERCENT)
    return Mark(kind, label, start, end, _percent(start / duration_s), f"{width:.3f}%")


def _ticks(duration_s: float) -> tuple[Mark, ...]:
    step = next((s for s in _TICKS_S if duration_s / s <= _MOST_TICKS), _TICKS_S[-1])
    times = range(0, int(duration_s) + 1, step)
    return tuple(
        _mark("tick", clock(t), {"start_s": float(t), "end_s": float(t)}, duration_s) for t in times
    )


def _overlap_kind(row: Row) -> str:
    if row["kind"] != "interruption":
        return "overlap"
    return "cooperative" if row["cooperative"] else "interruption"


def _overlap_label(page: CallPage, row: Row) -> str:
    name = OVERLAP_NAMES.get(row["kind"], row["kind"])
    if row["kind"] == "interruption":
        name = f"{'cooperative' if row['cooperative'] else 'competitive'} {name}"
        name += ", floor taken" if row["successful"] else ", floor kept"
        return f"{name}: {_who_interrupts(page, row)}"
    return f"{name} by {page.name_of(row['entrant'])}"


def arcs(page: CallPage) -> list[Arc]:
    """Return the feelings in order of time, each with the arc to its answer."""
    duration_s, found = page.call["duration_s"] or 1.0, []
    for cue in page.opportunities:
        x1 = 1000 * cue["start_s"] / duration_s
        path, middle, latency = "", "", ""
        if cue["answer_start_s"] is not None:
            x2 = 1000 * cue["answer_start_s"] / duration_s
            path = f"M{x1:.1f} 4 C{x1:.1f} 100 {x2:.1f} 100 {x2:.1f} 4"
            middle = _percent((x1 + x2) / 2000)
            if cue["latency_s"] is not None and x2 - x1 >= _LEAST_ARC_LABELLED:
                latency = f"{cue['latency_s']:.1f} s"
        found.append(
            Arc(
                cue["opportunity_index"],
                path,
                cue_sentence(cue),
                cue["start_s"],
                cue["answered"],
                _percent(cue["start_s"] / duration_s),
                middle,
                latency,
            )
        )
    return found


def cue_sentence(cue: Row) -> str:
    """Return what became of a cue, in a few words."""
    feeling = words(cue["kind"])
    if cue["answer"] is None:
        return f"{feeling}: the agent did not speak afterwards"
    answer = words(cue["answer"])
    verdict = "answered" if cue["answered"] else "not answered"
    after = "" if cue["latency_s"] is None else f" after {cue['latency_s']:.1f} s"
    return f"{feeling}: {verdict} ({answer}){after}"


def cues_by_turn(page: CallPage) -> dict[int, list[Row]]:
    """Return the cues of each turn that has some, each with the sentence of what became of it."""
    found: dict[int, list[Row]] = {}
    for cue in page.opportunities:
        found.setdefault(cue["turn_index"], []).append(cue | {"sentence": cue_sentence(cue)})
    return found
