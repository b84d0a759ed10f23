"""The report of a nightly run: counts, failures, the slowest calls, and what has changed.

What has changed: a night's calls are those analyzed in it; they are compared with calls analyzed
before it, by the day on which these began, all as they are measured today. Thus a rule that changed
and was applied to all calls is no drift, and a backfill does not count as one night.

The value of a day is the mean over its calls. Usual is the median of the days' values; their spread
is 1.4826 times the median absolute deviation (Huber 1981: the standard deviation, were they
normal), which a few odd days do not move. `z` is the distance from the usual in units of that
spread and of the standard error of a mean of so many calls, added as variances.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from html import escape
from math import copysign, hypot, inf, sqrt
from pathlib import Path
from statistics import median
from string import Template
from typing import TYPE_CHECKING, Any, Literal

from warmline.errors import one_line
from warmline.settings import NightSettings

if TYPE_CHECKING:
    from warmline.pipeline.calls import RunSummary

# What has changed: watched measures of a night beside the days before.

_NORMAL = 1.4826  # of a normal distribution, its standard deviation over its median deviation


@dataclass(frozen=True)
class Watched:
    """A measure that is watched: a column of the view `watched_calls`.

    For a `share`, only a rise matters; a `mean` is watched in both directions, or only when it
    `falls`.
    """

    column: str
    title: str
    kind: Literal["share", "mean", "falling"]


WATCHED = (
    Watched("failed", "failed", "share"),
    Watched("refused", "refused", "share"),
    Watched("no_speech", "without speech", "share"),
    Watched("without_roles", "agent and customer not known", "share"),
    Watched("told_apart_by_voice", "no channel for each party", "share"),
    Watched("role_confidence", "confidence in roles", "falling"),
    Watched("speaker_confidence", "confidence in parties", "falling"),
    Watched("mean_word_probability", "probability of words", "falling"),
    Watched("words_per_min", "words per minute", "mean"),
    Watched("dead_air_share", "share of dead air", "mean"),
    Watched("agent_talk_share", "agent's share of speech", "mean"),
    Watched("cues", "customers' cues per call", "mean"),
    Watched("answered_rate", "cues answered", "mean"),
    Watched("minutes", "minutes per call", "mean"),
    Watched("computing_per_s", "computing s per s of sound", "mean"),
)


@dataclass(frozen=True)
class Day:
    """A watched measure over the calls of one day: mean, standard deviation, number of calls."""

    day: date
    mean: float
    deviation: float
    calls: int


@dataclass(frozen=True)
class Drift:
    """A watched measure of a night beside the days before.

    `value` is None when no call has it. Without enough calls or days to compare, `usual` and `z`
    are None and `why_not` says so; `has_enough_calls` where only days are missing. `is_alarm` when
    the difference is both too large to be chance and large enough to matter.
    """

    watched: Watched
    value: float | None
    calls: int
    days: tuple[Day, ...]
    usual: float | None = None
    z: float | None = None
    is_alarm: bool = False
    why_not: str | None = None
    has_enough_calls: bool = False

    def __str__(self) -> str:
        """Return the drift on one line for a person."""
        return (
            f"{self.watched.title}: {self.text(self.value)} of {self.calls} calls; "
            f"{self.text(self.usual)} is usual (median of {len(self.days)} days)"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the drift as plain values, without the days that it was compared with."""
        return {
            "name": self.watched.column,
            "value": self.value,
            "calls": self.calls,
            "usual": self.usual,
            "days": len(self.days),
            "z": self.z,
            "needs_attention": self.is_alarm,
            "why_not_compared": self.why_not,
        }

    def text(self, value: float | None) -> str:
        """Return a value of this measure as it is written: a share in per cent."""
        if value is None:
            return "-"
        is_share = self.watched.kind == "share"
        return f"{value:.1%}" if is_share else f"{value:.3g}"


def compare(
    watched: Watched, tonight: Day | None, days: Sequence[Day], night: NightSettings
) -> Drift:
    """Return one measure of a night beside the days before, by the settings `night.drift_*`."""
    enough = tuple(day for day in days if day.calls >= night.drift_min_calls)
    if tonight is None:
        return Drift(watched, None, 0, enough, why_not="no call has it")
    found = Drift(watched, tonight.mean, tonight.calls, enough)
    if tonight.calls < night.drift_min_calls:
        return replace(found, why_not=f"fewer than {night.drift_min_calls} calls")
    found = replace(found, has_enough_calls=True)
    if len(enough) < night.drift_min_days:
        return replace(found, why_not=f"fewer than {night.drift_min_days} days to compare with")
    usual = median(day.mean for day in enough)
    spread = _NORMAL * median(abs(day.mean - usual) for day in enough)
    scale = hypot(spread, _error(watched, tonight, enough))
    change = tonight.mean - usual
    z = change / scale if scale else copysign(inf, change) if change else 0.0
    is_alarm = abs(z) >= night.drift_z and _matters(watched, tonight.mean, usual, night)
    return replace(found, usual=usual, z=z, is_alarm=is_alarm)


def _error(watched: Watched, tonight: Day, days: Sequence[Day]) -> float:
    """Return the standard error of a mean over so many calls, if they were like the days before.

    Of a share, that night's calls count as well, as in the test of two proportions.
    """
    if watched.kind != "share":
        return median(day.deviation for day in days) / sqrt(tonight.calls)
    every = (*days, tonight)
    hits, of = sum(day.mean * day.calls for day in every), sum(day.calls for day in every)
    share = (hits + 1) / (of + 2)  # Laplace's rule: a share that was never seen is small, not 0
    return sqrt(share * (1 - share) / tonight.calls)


def _matters(watched: Watched, value: float, usual: float, night: NightSettings) -> bool:
    change = value - usual
    if watched.kind == "share":
        return change >= night.drift_share_change and value >= usual * night.drift_share_ratio
    if watched.kind == "falling" and change > 0:
        return False
    return abs(change) >= night.drift_mean_change * abs(usual)


# What a run was, and what was found in it.


@dataclass(frozen=True)
class RunFacts:
    """Facts that only the run itself knows; the rest of a report is read from the warehouse.

    `given_up` counts calls that were left out because they failed too often, `unfinished` files
    that were still being copied, `unread` sources that cannot be read, `closed` folders below
    others. `notes` are what else needs attention; `problems` say more of all of these.
    `found_nothing` says that there are files, and none that could be taken for a recording.
    `forgotten` and `opted_out` are recordings that were left alone, as their calls were erased or
    their customers opted out; `erased_calls` and `erased_words` count what was too old to be kept
    (`[retention]`). `unreported_since` is when an earlier run began that left no report, as it was
    killed: what it analyzed counts with this one. `calls_reported` is how many calls the report had
    when the run ended; None where that was not kept.
    """

    wall_s: float
    done_before: int
    given_up: int
    unfinished: int
    problems: tuple[str, ...]
    started_at: datetime | None = None
    unread: int = 0
    closed: int = 0
    notes: tuple[str, ...] = ()
    forgotten: int = 0
    opted_out: int = 0
    erased_calls: int = 0
    erased_words: int = 0
    found_nothing: bool = False
    unreported_since: datetime | None = None
    calls_reported: int | None = None

    @property
    def counts_from(self) -> datetime | None:
        """Return from when on analyses count as this run's."""
        return self.unreported_since or self.started_at

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as plain values."""
        times = {"started_at": self.started_at, "unreported_since": self.unreported_since}
        return asdict(self) | {name: at and at.isoformat() for name, at in times.items()}

    @property
    def alarms(self) -> tuple[str, ...]:
        """Return the problems of the run itself that need attention: counts, and nobody's name."""
        lines = [f"sources that cannot be read: {self.unread}"] if self.unread else []
        if self.closed:
            lines.append(f"folders that cannot be looked into: {self.closed}")
        if self.found_nothing:
            lines.append("no recordings found; what was passed over, and why, is told below")
        return (*lines, *self.notes)

    @classmethod
    def of(
        cls,
        summary: "RunSummary",
        *,
        started_at: datetime | None = None,
        notes: tuple[str, ...] = (),
        erased_calls: int = 0,
        erased_words: int = 0,
        unreported_since: datetime | None = None,
    ) -> "RunFacts":
        """Return the facts of a finished run."""
        plan = summary.plan
        return cls(
            summary.wall_s,
            plan.done_before,
            len(plan.given_up),
            len(plan.unfinished),
            (*plan.problems, *left_for_later(plan.unfinished)),
            started_at=started_at,
            unread=len(plan.away),
            closed=len(plan.closed),
            notes=notes,
            forgotten=len(plan.forgotten),
            opted_out=len(plan.opted_out),
            erased_calls=erased_calls,
            erased_words=erased_words,
            found_nothing=plan.found_nothing,
            unreported_since=unreported_since,
        )


def left_for_later(unfinished: Sequence[str]) -> tuple[str, ...]:
    """Return a line that names the first files that are still being written; none for no files."""
    if not unfinished:
        return ()
    names = ", ".join(path.rpartition("/")[2] for path in unfinished[:_NAMED])
    more = f" and {len(unfinished) - _NAMED} more" if len(unfinished) > _NAMED else ""
    files = "1 file" if len(unfinished) == 1 else f"{len(unfinished)} files"
    return (f"{files} still being written, left for the next run: {names}{more}",)


_NAMED = 5


@dataclass(frozen=True)
class FailedCall:
    """A call that failed; `is_last_try` when it is left out from now on."""

    call_id: str
    code: str
    reason: str
    is_last_try: bool


@dataclass(frozen=True)
class SlowCall:
    """A call that took long: computing time and length, seconds."""

    call_id: str
    computing_s: float
    duration_s: float | None


@dataclass(frozen=True)
class NightReport:
    """A nightly run in counts and reasons, without a word that was said in a call.

    `by_status` counts all recordings that were examined, `by_reason` those without an analysis, by
    status and code. `failed` and `slowest` are the first few. `unreadable` counts damaged landing
    files. `usual_calls` is the median number of calls of the days before that had any, `idle_days`
    how many had none; None without such days. `calls_of_day` counts the recordings of the whole
    day, of which a run is a part; `shares` are those of calls without an analysis that are too
    large; `runs` are all of the day, in a report of a day.
    """

    night: date
    by_status: dict[str, int]
    by_reason: dict[tuple[str, str], int]
    audio_s: float
    computing_s: float
    failed: tuple[FailedCall, ...]
    given_up: int
    slowest: tuple[SlowCall, ...]
    unreadable: int
    drifts: tuple[Drift, ...]
    usual_calls: float | None = None
    idle_days: int = 0
    run: RunFacts | None = None
    calls_of_day: int = 0
    shares: tuple[str, ...] = ()
    runs: tuple[RunFacts, ...] = ()

    @property
    def title(self) -> str:
        """Return the day; the run's time as well in the report of one run."""
        at = self.run.started_at if self.run else None
        return f"Night of {self.night}" + (f", run of {self.clock(at)}" if at else "")

    def clock(self, at: datetime) -> str:
        """Return a time of the night with its zone, and with its day where that is another."""
        day = "" if at.date() == self.night else f"{at:%Y-%m-%d} "
        return f"{day}{at:%H:%M:%S} {at.tzname() or 'UTC'}"

    def shown_in(self, zone: Callable[[datetime], datetime]) -> "NightReport":
        """Return the report with the times of its runs as `zone` gives them."""

        def shown(run: RunFacts) -> RunFacts:
            times = (run.started_at, run.unreported_since)
            began, since = (at and zone(at) for at in times)
            return replace(run, started_at=began, unreported_since=since)

        run = shown(self.run) if self.run else None
        return replace(self, run=run, runs=tuple(map(shown, self.runs)))

    @property
    def calls(self) -> int:
        """Return how many recordings were examined."""
        return sum(self.by_status.values())

    @property
    def calls_gone(self) -> int:
        """Return how many calls its runs reported when they ended, and it has no more."""
        runs = (self.run,) if self.run else self.runs
        return max(0, sum(run.calls_reported or 0 for run in runs) - self.calls)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Return what needs attention, one line each: counts and measures, and no call's name."""
        return tuple(self._alarms())

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for a machine to read, times in ISO 8601."""
        return {
            "night": self.night.isoformat(),
            "needs_attention": list(self.alarms),
            "calls": self.calls,
            "calls_gone": self.calls_gone,
            "by_status": self.by_status,
            "by_reason": [
                {"status": status, "code": code, "calls": calls}
                for (status, code), calls in self.by_reason.items()
            ],
            "audio_s": self.audio_s,
            "computing_s": self.computing_s,
            "usual_calls": self.usual_calls,
            "idle_days": self.idle_days,
            "given_up": self.given_up,
            "damaged_files": self.unreadable,
            "failed": [asdict(call) for call in self.failed],
            "slowest": [asdict(call) for call in self.slowest],
            "measures": [drift.as_dict() for drift in self.drifts],
            "runs": [run.as_dict() for run in ((self.run,) if self.run else self.runs)],
        }

    def _alarms(self) -> Iterator[str]:
        for run in (self.run,) if self.run else self.runs:
            when = f" (run of {self.clock(run.started_at)})" if run.started_at else ""
            yield from (alarm if run is self.run else f"{alarm}{when}" for alarm in run.alarms)
        if self.calls_of_day == 0 and self.usual_calls and self.idle_days == 0:
            yield f"no calls came in; {self.usual_calls:.0f} a day are usual"
        yield from self.shares
        yield from (str(drift) for drift in self.drifts if drift.is_alarm)
        if self.given_up:
            yield f"calls that failed too often and wait for `warmline retry`: {self.given_up}"
        if self.unreadable:
            yield f"landing files that are damaged: {self.unreadable}; `warmline query failures`"


def shares_too_large(by_status: Mapping[str, int], night: NightSettings) -> tuple[str, ...]:
    """Return a line for each share of calls without an analysis that is above its limit.

    It needs no days to compare with: a first night in which nothing could be analyzed is no
    success. Copies of other recordings do not count, and fewer than `alarm_min_calls` are no share.
    """
    calls = sum(count for status, count in by_status.items() if status != "duplicate")
    failed = by_status.get("failed", 0)
    unanalyzed = calls - by_status.get("analyzed", 0)
    lines = []
    least = night.alarm_min_calls
    if failed >= least and failed / calls > night.alarm_failed_share:
        lines.append(f"calls that failed: {failed} of {calls}")
    is_more = unanalyzed >= least and unanalyzed > failed
    if is_more and unanalyzed / calls > night.alarm_unanalyzed_share:
        lines.append(f"calls without an analysis (refused, no speech): {unanalyzed} of {calls}")
    return tuple(lines)


# A run's report for people: as Markdown, and as one self-contained HTML page.


_PAGE = Path(__file__).with_name("night.html")
_WIDTH, _HEIGHT = 120, 24  # of a line drawn in a table, pixels
_NO_ALARM = "Nothing needs attention."


@dataclass(frozen=True)
class _Table:
    """A part of the report. `lines` has the values to draw behind each row, in the page only."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    lines: tuple[tuple[float, ...], ...] = ()


def as_markdown(report: NightReport) -> str:
    """Return the report as Markdown."""
    parts = [f"# {report.title}", _lead(report)]
    parts += ["\n".join(f"- **{in_markdown(alarm)}**" for alarm in report.alarms) or _NO_ALARM]
    for table in _tables(report):
        parts.append(f"## {table.title}")
        if table.note:
            parts.append(table.note)
        if table.rows:
            lines = [_row(table.head), "|---|" + "---:|" * (len(table.head) - 1)]
            parts.append("\n".join(lines + [_row(row) for row in table.rows]))
    return "\n\n".join(parts) + "\n"


def as_html(report: NightReport) -> str:
    """Return the report as a page: no script, no font, no picture from elsewhere."""
    alarms = "".join(f"<li>{escape(alarm)}</li>" for alarm in report.alarms)
    body = "".join(_section(table) for table in _tables(report))
    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        title=escape(report.title),
        lead=escape(_lead(report)),
        alarms=f"<ul class='alarm'>{alarms}</ul>" if alarms else f"<p>{_NO_ALARM}</p>",
        body=body,
    )


def _lead(report: NightReport) -> str:
    calls = "1 call" if report.calls == 1 else f"{report.calls} calls"
    text = f"{calls}." if report.calls else "No calls."
    if gone := report.calls_gone:
        text += f" {report.calls + gone} were reported when the"
        text += f" {'run' if report.run else 'runs'} ended; {gone} of them"
        text += f" {'has' if gone == 1 else 'have'} been erased since, or analyzed again."
    if report.audio_s:
        text += f" {report.audio_s / 3600:.2f} h of sound"
        text += f" in {report.computing_s / 3600:.2f} h of computing."
    if (run := report.run) is not None:
        text += f" The run took {run.wall_s / 60:.1f} min; {run.done_before} done before"
        text += f", {run.given_up} left alone after failing too often" if run.given_up else ""
        text += f", {run.unfinished} still being copied" if run.unfinished else ""
        text += f", {run.forgotten} erased before and left alone" if run.forgotten else ""
        text += f", {run.opted_out} of customers who opted out" if run.opted_out else ""
        text += "."
        if run.unreported_since is not None:
            text += f" Calls of an earlier run, of {report.clock(run.unreported_since)}, count as "
            text += "well: it ended before its report."
        if run.erased_calls or run.erased_words:
            text += f" Too old to be kept: {run.erased_calls} calls were erased, and the words of "
            text += f"{run.erased_words}."
    return text


def _tables(report: NightReport) -> Iterator[_Table]:
    if report.by_status:
        counts = tuple((status, str(n)) for status, n in report.by_status.items())
        yield _Table("Calls", ("calls", "count"), counts)
    if report.by_reason:
        rows = tuple((status, code, str(n)) for (status, code), n in report.by_reason.items())
        yield _Table("Why not analyzed", ("status", "reason", "calls"), rows)
    if report.failed:
        failed = tuple(
            (call.call_id, "waits for `warmline retry`" if call.is_last_try else "", call.reason)
            for call in report.failed
        )
        count = report.by_status.get("failed", 0)
        note = "" if count == len(failed) else f"The first {len(failed)} of {count}."
        yield _Table("Failed", ("call", "", "why"), failed, note)
    if report.slowest:
        slow = tuple(
            (call.call_id, f"{call.computing_s:.1f}", f"{call.duration_s or 0:.1f}")
            for call in report.slowest
        )
        yield _Table("Slowest calls", ("call", "computing, s", "length, s"), slow)
    if report.runs:
        yield _Table("Runs", _RUNS, _runs(report))
    yield _drift_table(report.drifts)
    if report.run is not None and report.run.problems:
        yield _Table("Also", ("",), tuple((problem,) for problem in report.run.problems))


_RUNS = ("began", "min", "calls when it ended", "done before", "needs attention")


def _runs(report: NightReport) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            report.clock(run.started_at) if run.started_at else "",
            f"{run.wall_s / 60:.1f}",
            "-" if run.calls_reported is None else str(run.calls_reported),
            str(run.done_before),
            "; ".join(run.alarms),
        )
        for run in report.runs
    )


def _drift_table(drifts: Sequence[Drift]) -> _Table:
    head = ("measure", "this night", "calls", "usual", "days", "z", "")
    rows, lines = [], []
    told = [drift for drift in drifts if not drift.why_not or drift.has_enough_calls]
    for drift in told:
        z = "-" if drift.z is None else f"{drift.z:+.1f}"
        verdict = "ALARM" if drift.is_alarm else drift.why_not or ""
        values = (drift.text(drift.value), str(drift.calls), drift.text(drift.usual))
        rows.append((drift.watched.title, *values, str(len(drift.days)), z, verdict))
        tonight = () if drift.value is None else (drift.value,)
        lines.append((*(day.mean for day in drift.days), *tonight))
    note = (
        "Means over calls. Usual: the median of the days before, by when the calls began; z: the "
        "distance from it in units of the days' spread (1.4826 x median absolute deviation) and of "
        "the error of the mean. An alarm takes both a z and a change that are large enough "
        "(`night.drift_*`). Simulated calls do not count."
    )
    if len(told) < len(drifts):
        whys = Counter(drift.why_not for drift in drifts if drift not in told)
        counts = ", ".join(f"{count} ({why})" for why, count in whys.items())
        note += f" Measures that could not be compared: {counts}."
    return _Table("Beside the days before", head, tuple(rows), note, tuple(lines))


def _section(table: _Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.head)
    rows = []
    for i, row in enumerate(table.rows):
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        drawn = f"<td>{_line(table.lines[i])}</td>" if table.lines else ""
        rows.append(f"<tr{' class=alarm' if 'ALARM' in row else ''}>{cells}{drawn}</tr>")
    note = f"<p class='note'>{escape(table.note)}</p>" if table.note else ""
    extra = "<th>days, then this night</th>" if table.lines else ""
    return (
        f"<h2>{escape(table.title)}</h2>{note}<div class='wide'><table><tr>{head}{extra}</tr>"
        f"{''.join(rows)}</table></div>"
    )


def _line(values: Sequence[float]) -> str:
    """Return the values as a sparkline, the last one as a dot; nothing for fewer than two."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    scale = (high - low) or 1.0
    points = [
        (2 + (_WIDTH - 6) * i / (len(values) - 1), 3 + (_HEIGHT - 6) * (high - value) / scale)
        for i, value in enumerate(values)
    ]
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return (
        f"<svg width='{_WIDTH}' height='{_HEIGHT}' role='img'>"
        f"<polyline points='{drawn}' fill='none' stroke='#7b8794'/>"
        f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='#1f2933'/></svg>"
    )


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(in_markdown(cell) for cell in cells) + " |"


def in_markdown(value: str) -> str:
    """Return text that Markdown shows verbatim: a name that a stranger chose fetches no picture."""
    return re.sub(r"([\\|<>\[\]`*~])", r"\\\1", one_line(value))
