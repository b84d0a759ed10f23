"""The report of a nightly run: counts, failures, the slowest calls, and what has changed."""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from errno import EACCES
from html import escape
from pathlib import Path
from string import Template

import platformdirs

from warmline.errors import ScheduleError, WarehouseError, one_line
from warmline.pipeline import RunSummary
from warmline.reports.drift import Drift
from warmline.settings import NightSettings


@dataclass(frozen=True)
class RunFacts:
    """Facts that only the run itself knows; the rest of a report is read from the warehouse.

    `given_up` counts calls that were left out because they failed too often, `unfinished` files
    that were still being copied, `unread` sources that cannot be read, `closed` folders below
    others. `notes` are what asks for a person besides; `problems` say more of all of these.
    `found_nothing` says that there are files, and none that could be taken for a recording.
    `forgotten` and `opted_out` are recordings that were left alone, as their calls were erased or
    their customers opted out; `erased_calls` and `erased_words` count what was too old to be kept
    (`[retention]`). `unreported_since` is when an earlier run began that left no report, as it was
    killed: what it analyzed counts with this one.
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

    @property
    def counts_from(self) -> datetime | None:
        """Return from when on analyses count as this run's."""
        return self.unreported_since or self.started_at

    @property
    def alarms(self) -> tuple[str, ...]:
        """Return the problems of the run itself that need a person: counts, and nobody's name."""
        lines = [f"sources that cannot be read: {self.unread}"] if self.unread else []
        if self.closed:
            lines.append(f"folders that cannot be looked into: {self.closed}")
        if self.found_nothing:
            lines.append("no recordings found; what was passed over, and why, is told below")
        return (*lines, *self.notes)

    @classmethod
    def of(
        cls,
        summary: RunSummary,
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
            len(plan.unchanged),
            len(plan.given_up),
            len(plan.unfinished),
            plan.problems,
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
    def alarms(self) -> tuple[str, ...]:
        """Return what needs a person, one line each: counts and measures, and no call's name."""
        return tuple(self._alarms())

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
    success. Copies of other recordings do not count.
    """
    calls = sum(count for status, count in by_status.items() if status != "duplicate")
    failed = by_status.get("failed", 0)
    unanalyzed = calls - by_status.get("analyzed", 0)
    lines = []
    if calls and failed / calls > night.alarm_failed_share:
        lines.append(f"calls that failed: {failed} of {calls}")
    if calls and unanalyzed > failed and unanalyzed / calls > night.alarm_unanalyzed_share:
        lines.append(f"calls without an analysis (refused, no speech): {unanalyzed} of {calls}")
    return tuple(lines)


# A run's report for people: as Markdown, and as one self-contained HTML page.


_PAGE = Path(__file__).with_name("night.html")
_WIDTH, _HEIGHT = 120, 24  # of a line drawn in a table, pixels
_NO_ALARM = "Nothing asks for a person."


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
    parts += ["\n".join(f"- **{_cell(alarm)}**" for alarm in report.alarms) or _NO_ALARM]
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
    text = f"{report.calls} calls." if report.calls else "No calls."
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
        yield _Table("Runs", ("began", "min", "done before", "asks for a person"), _runs(report))
    yield _drift_table(report.drifts)
    if report.run is not None and report.run.problems:
        yield _Table("Also", ("",), tuple((problem,) for problem in report.run.problems))


def _runs(report: NightReport) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            report.clock(run.started_at) if run.started_at else "",
            f"{run.wall_s / 60:.1f}",
            str(run.done_before),
            "; ".join(run.alarms),
        )
        for run in report.runs
    )


def _drift_table(drifts: Sequence[Drift]) -> _Table:
    head = ("measure", "this night", "calls", "usual", "days", "z", "")
    rows, lines = [], []
    for drift in drifts:
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
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(value: str) -> str:
    """Return text that Markdown shows verbatim: a name that a stranger chose fetches no picture."""
    return re.sub(r"([\\|<>\[\]`*~])", r"\\\1", one_line(value))


# Erase from Prefect's database what it keeps of nightly runs: names of recordings, reasons.


FLOW = "analyze-calls"
_DATABASE = "prefect.db"
_WAIT_S = 30.0  # for a server that is writing

# Scheduled runs have no names of recordings in them, and start the next night.
_CHOOSE = """
CREATE TEMP TABLE gone AS
SELECT id FROM flow_run
WHERE flow_id IN (SELECT id FROM flow WHERE name = :flow) AND state_type != 'SCHEDULED'
    AND (:before IS NULL OR datetime(coalesce(end_time, updated)) < datetime(:before))
ORDER BY datetime(coalesce(end_time, updated)) LIMIT :at_most
"""
_TASKS = "SELECT id FROM task_run WHERE flow_run_id IN (SELECT id FROM gone)"
_EVENTS = f"""
SELECT id FROM events WHERE resource_id IN (
    SELECT 'prefect.flow-run.' || id FROM gone
    UNION ALL SELECT 'prefect.task-run.' || id FROM ({_TASKS}))
"""
_OF_RUN = "WHERE flow_run_id IN (SELECT id FROM gone)"
_ERASE_NAMES = (
    f"DELETE FROM event_resources WHERE event_id IN ({_EVENTS})",
    f"DELETE FROM events WHERE id IN ({_EVENTS})",
    f"DELETE FROM log {_OF_RUN}",
    f"DELETE FROM artifact {_OF_RUN}",
    f"DELETE FROM artifact_collection {_OF_RUN}",
    f"DELETE FROM flow_run_input {_OF_RUN}",
    f"DELETE FROM task_run_state WHERE task_run_id IN ({_TASKS})",
    f"DELETE FROM task_run {_OF_RUN}",
)
_ERASE_RUNS = (
    f"DELETE FROM flow_run_state {_OF_RUN}",
    "DELETE FROM flow_run WHERE id IN (SELECT id FROM gone)",
)
# A run may have had recordings as parameters, and have ended with one in its message.
_KEEP_BARE_RUNS = (
    f"UPDATE flow_run_state SET message = NULL, data = NULL {_OF_RUN}",
    "UPDATE flow_run SET parameters = '{}', context = '{}' WHERE id IN (SELECT id FROM gone)",
)


def prefect_home() -> Path:
    """Return the folder in which the nightly flow has Prefect keep its data."""
    default = platformdirs.user_state_path("warmline") / "prefect"
    return Path(os.environ.get("PREFECT_HOME") or default).expanduser()


def make_prefect_home() -> Path:
    """Make the folder for Prefect's database, for its owner alone, and return it.

    Raises `ScheduleError` when it cannot be made or written.
    """
    home = prefect_home()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(home, os.W_OK | os.X_OK):
            raise PermissionError(EACCES, "it cannot be written to")
    except OSError as e:
        raise ScheduleError(
            f"{home}: nights keep their records there, and {e.strerror or e}; set PREFECT_HOME to "
            "a folder that can be written"
        ) from e
    return home


def forget_runs(home: Path, older_than_days: int, at_most: int | None = None) -> int:
    """Erase runs that ended so long ago from Prefect's database; return how many there were.

    Their tasks, states, logs, events and reports are erased too, so that no byte of them is left in
    the file; of many, the oldest `at_most`. Schedules, notification blocks and other people's flows
    stay. Raises WarehouseError when the database stays in use, or has an unknown form.
    """
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    return _change(home, _ERASE_RUNS, before.isoformat(), -1 if at_most is None else at_most)


def forget_names(home: Path) -> int:
    """Erase what may name a call from all runs in Prefect's database; return how many there are.

    That is everything but when each ran and how it ended: runs cannot be searched for a call, since
    it may have had other names then. Raises WarehouseError like `forget_runs`.
    """
    return _change(home, _KEEP_BARE_RUNS)


def _change(
    home: Path, statements: Sequence[str], before: str | None = None, at_most: int = -1
) -> int:
    path = home / _DATABASE
    if not path.exists():
        return 0
    chosen = {"flow": FLOW, "before": before, "at_most": at_most}
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)) as db:
            return _write(db, chosen, (*_ERASE_NAMES, *statements))
    except sqlite3.Error as e:
        raise WarehouseError(f"{path}: nights are not forgotten there ({e})") from e


def _write(db: sqlite3.Connection, chosen: Mapping[str, object], statements: Sequence[str]) -> int:
    db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'flow_run'").fetchone():
        return 0  # a server that never got so far
    db.execute("BEGIN IMMEDIATE")
    db.execute(_CHOOSE, chosen)
    for statement in statements:
        db.execute(statement)
    (count,) = db.execute("SELECT count(*) FROM gone").fetchone()
    db.execute("COMMIT")
    busy, *_ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise sqlite3.OperationalError("a Prefect server is reading it; stop it and try again")
    return int(count)
