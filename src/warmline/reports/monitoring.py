"""Read a nightly run, and the days before it, from the warehouse."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import duckdb
from pydantic import BaseModel, ConfigDict, ValidationError

from warmline import __version__
from warmline.database import open_for_reading
from warmline.errors import SettingsError, WarehouseError
from warmline.files import write_text_whole
from warmline.reports.report import (
    WATCHED,
    Day,
    Drift,
    FailedCall,
    NightReport,
    RunFacts,
    SlowCall,
    as_html,
    as_markdown,
    compare,
    shares_too_large,
)
from warmline.settings import NightSettings

if TYPE_CHECKING:
    from warmline.pipeline.calls import RunSummary

_FAILED_SHOWN = 50
_SLOWEST_SHOWN = 10
_WITHIN = "analyzed_at >= $since AND analyzed_at < $until"
_COLUMNS = ", ".join(watched.column for watched in WATCHED)

_COUNTS = f"""
SELECT status, coalesce(reason_code, ''), count(*), coalesce(sum(duration_s), 0),
    coalesce(sum(listening_s) FILTER (status = 'analyzed'), 0),
    count(*) FILTER (status = 'failed' AND failed_runs >= $give_up_after
        AND $give_up_after > 0 AND reason_code <> 'io_error')
FROM calls WHERE {_WITHIN} GROUP BY status, reason_code
ORDER BY count(*) DESC, status, reason_code
"""
_OF_DAY = f"SELECT count(*) FROM calls WHERE {_WITHIN}"
_FAILED = f"""
SELECT call_id, coalesce(reason_code, ''), coalesce(reason, ''),
    failed_runs >= $give_up_after AND $give_up_after > 0 AND reason_code <> 'io_error'
FROM calls WHERE {_WITHIN} AND status = 'failed' ORDER BY reason_code, call_id LIMIT {_FAILED_SHOWN}
"""
_SLOWEST = f"""
SELECT call_id, listening_s, duration_s FROM calls
WHERE {_WITHIN} AND listening_s > 0 ORDER BY listening_s DESC, call_id LIMIT {_SLOWEST_SHOWN}
"""
_TONIGHT = f"""
SELECT measure, $night, avg(value), coalesce(stddev_samp(value), 0), count(*)
FROM (UNPIVOT (SELECT {_COLUMNS} FROM watched_calls WHERE {_WITHIN} AND NOT is_simulated)
    ON {_COLUMNS} INTO NAME measure VALUE value)
GROUP BY measure
"""
_DAYS = f"""
SELECT measure, day, avg(value), coalesce(stddev_samp(value), 0), count(*)
FROM (UNPIVOT (
    SELECT day, {_COLUMNS} FROM watched_calls
    WHERE analyzed_at < $since AND day >= $first AND day < $night AND NOT is_simulated)
    ON {_COLUMNS} INTO NAME measure VALUE value)
GROUP BY measure, day ORDER BY day
"""
# The night's calls are expected from the day before it.
_PER_DAY = """
SELECT count(*) FROM watched_calls
WHERE analyzed_at < $since AND day >= $first AND day < $night - 1 AND NOT is_simulated GROUP BY day
"""
_UNREADABLE = "SELECT count(*) FROM failures WHERE status = 'unreadable'"


def last_night(warehouse: Path) -> date | None:
    """Return the last day (UTC) on which calls were analyzed; None when there are no calls.

    Raises `WarehouseError` as `read_night` does.
    """
    with open_for_reading(warehouse) as con:
        last = con.execute("SELECT max(analyzed_at)::DATE FROM calls").fetchall()[0][0]
        return last if isinstance(last, date) else None


def read_night(
    warehouse: Path,
    night: date,
    settings: NightSettings,
    *,
    until: datetime | None = None,
    run: RunFacts | None = None,
    runs: tuple[RunFacts, ...] = (),
) -> NightReport:
    """Return the analyses of a day (UTC), beside the `night.drift_days` days before it.

    With `run`, only what was analyzed since that run began, or one before it that left no report. A
    run that goes on past midnight
    belongs to the day on which it began: `until` is its end. `runs` are all of the day. Raises
    `WarehouseError` when there is no readable warehouse.
    """
    since = datetime.combine(night, time())
    end = since + timedelta(days=1)
    if until is not None:
        end = max(end, _naive(until))
    when = {"since": since, "until": end}
    if run and run.counts_from:
        when = {"since": _naive(run.counts_from), "until": _naive(until) if until else end}
    before = {
        "since": since,
        "first": night - timedelta(days=settings.drift_days),
        "night": night,
    }
    limit = {"give_up_after": settings.give_up_after}
    with open_for_reading(warehouse) as con:
        counts = con.execute(_COUNTS, when | limit).fetchall()
        per_day = [n for (n,) in con.execute(_PER_DAY, before).fetchall()]
        of_day = con.execute(_OF_DAY, {"since": since, "until": end}).fetchall()[0][0]
        by_status = _summed((status, n) for status, _, n, *_ in counts)
        return NightReport(
            night=night,
            by_status=by_status,
            by_reason={(status, code): n for status, code, n, *_ in counts if code},
            audio_s=sum(row[3] for row in counts if row[0] == "analyzed"),
            computing_s=sum(row[4] for row in counts),
            failed=tuple(FailedCall(*row) for row in con.execute(_FAILED, when | limit).fetchall()),
            given_up=sum(row[5] for row in counts),
            slowest=tuple(SlowCall(*row) for row in con.execute(_SLOWEST, when).fetchall()),
            unreadable=con.execute(_UNREADABLE).fetchall()[0][0],
            drifts=_drifts(con, when | {"night": night}, before, settings),
            usual_calls=median(per_day) if len(per_day) >= settings.drift_min_days else None,
            idle_days=settings.drift_days - 1 - len(per_day),
            run=run,
            calls_of_day=of_day,
            shares=shares_too_large(by_status, settings),
            runs=runs,
        )


def _naive(at: datetime) -> datetime:
    """Return a time as the warehouse keeps it: UTC, without a zone."""
    return at.astimezone(UTC).replace(tzinfo=None)


def _drifts(
    con: duckdb.DuckDBPyConnection,
    when: dict[str, Any],
    before: dict[str, Any],
    settings: NightSettings,
) -> tuple[Drift, ...]:
    tonight = {name: Day(*rest) for name, *rest in con.execute(_TONIGHT, when).fetchall()}
    days: defaultdict[str, list[Day]] = defaultdict(list)
    for name, *rest in con.execute(_DAYS, before).fetchall():
        days[name].append(Day(*rest))
    return tuple(
        compare(watched, tonight.get(watched.column), days[watched.column], settings)
        for watched in WATCHED
    )


def _summed(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: defaultdict[str, int] = defaultdict(int)
    for name, count in pairs:
        found[name] += count
    return dict(found)


# Files for a monitoring system: counts beside the reports, and no call's name.


FOLDER = "reports"
# The facts in a run's record: counts, and a time.
_FACTS = (
    *("wall_s", "done_before", "given_up", "unfinished", "unread", "closed"),
    *("forgotten", "opted_out", "erased_calls", "erased_words", "found_nothing"),
    *("unreported_since", "calls_reported"),
)


class RunRecord(BaseModel):
    """The record of a finished run, in counts; from `wall_s` on, the fields of `RunFacts`.

    `calls`, `reasons` and `alarms` are as they were when it ended. `calls_left` is how many of
    `calls_reported` its report still has, once calls have been erased; None before.
    """

    model_config = ConfigDict(frozen=True)

    started_at: datetime
    ended_at: datetime
    calls: dict[str, int]
    reasons: dict[str, int]
    alarms: tuple[str, ...]
    audio_s: float
    wall_s: float
    done_before: int
    given_up: int
    unfinished: int
    unread: int
    closed: int
    forgotten: int = 0
    opted_out: int = 0
    erased_calls: int = 0
    erased_words: int = 0
    found_nothing: bool = False
    unreported_since: datetime | None = None
    calls_reported: int | None = None
    calls_left: int | None = None


class Health(BaseModel):
    """The health of the last nightly run.

    `state` is `running`, `done`, `attention` (done, and something needs attention), `interrupted`
    (somebody stopped it) or `failed`: then `error` names the kind of error, whose text is in the
    log. `succeeded_at` is when a run last
    completed with every source read. `unreported_since` is when the first of the runs just before
    it began that were killed, or failed, before their report.
    """

    model_config = ConfigDict(frozen=True)

    version: str = __version__
    state: Literal["running", "done", "attention", "failed", "interrupted"]
    started_at: datetime
    ended_at: datetime | None = None
    succeeded_at: datetime | None = None
    error: str | None = None
    last_run: RunRecord | None = None
    unreported_since: datetime | None = None

    @property
    def left_no_report_since(self) -> datetime | None:
        """Return when the first of the runs began that left no report; None if the last did."""
        is_told = self.last_run is not None and self.last_run.started_at == self.started_at
        return None if is_told else self.unreported_since or self.started_at


def health_file(warehouse: Path) -> Path:
    """Return the file with the health of a warehouse's nightly runs."""
    return warehouse.parent / FOLDER / f"{warehouse.stem}-health.json"


def run_file(warehouse: Path, started_at: datetime) -> Path:
    """Return the file for the counts of a run."""
    name = f"{warehouse.stem}-{started_at.astimezone(UTC):%Y-%m-%dT%H%M%SZ}.json"
    return warehouse.parent / FOLDER / name


def read_health(warehouse: Path) -> Health | None:
    """Return how the last night stands; None when there was none, or its file is damaged."""
    try:
        return Health.model_validate_json(health_file(warehouse).read_bytes())
    except (OSError, ValidationError):
        return None


def read_run(warehouse: Path, started_at: datetime) -> RunFacts | None:
    """Return what a run knew, in counts; None when its file is missing or damaged."""
    record = _record(warehouse, started_at)
    if record is None:
        return None
    counts = {name: getattr(record, name) for name in _FACTS}
    return RunFacts(**counts, problems=(), started_at=record.started_at)


def _record(warehouse: Path, started_at: datetime) -> RunRecord | None:
    try:
        data = run_file(warehouse, started_at).read_bytes()
        return RunRecord.model_validate_json(data)
    except (OSError, ValidationError):
        return None


def _note_left(warehouse: Path, started_at: datetime, calls: int) -> None:
    """Record how many calls the report of a run still has. Raises `WarehouseError`."""
    record = _record(warehouse, started_at)
    if record is None or record.calls_reported is None:
        return
    record = record.model_copy(update={"calls_left": calls})
    _write(run_file(warehouse, started_at), record, "the run's counts")
    health = read_health(warehouse)
    if health and health.last_run and health.last_run.started_at == record.started_at:
        health = health.model_copy(update={"last_run": record})
        _write(health_file(warehouse), health, "the health of nights")


@contextmanager
def noted(warehouse: Path, started_at: datetime) -> Iterator[datetime | None]:
    """Record that a nightly run is under way, and how it ended when the block raises.

    It failed if by an error, and was interrupted if somebody stopped it (Ctrl-C, SIGTERM).

    Yields when an earlier run began that left no report, None if there is none.
    Raises `WarehouseError` at once when the file cannot be written: thus a run that could not write
    its report ends before its work.
    """
    before = read_health(warehouse)
    running = Health(
        state="running",
        started_at=started_at,
        succeeded_at=before.succeeded_at if before else None,
        last_run=before.last_run if before else None,
        unreported_since=before.left_no_report_since if before else None,
    )
    _write(health_file(warehouse), running, "the health of nights")
    try:
        yield running.unreported_since
    except BaseException as e:
        was_stopped = not isinstance(e, Exception)
        ended = {
            "state": "interrupted" if was_stopped else "failed",
            "ended_at": datetime.now(UTC),
            "error": None if was_stopped else type(e).__name__,
        }
        failed = running.model_copy(update=ended)
        with suppress(WarehouseError):  # the error that ended the run is the one to report
            _write(health_file(warehouse), failed, "the health of nights")
        raise


def note_end(
    warehouse: Path,
    started_at: datetime,
    summary: "RunSummary",
    run: RunFacts,
    alarms: Sequence[str],
) -> None:
    """Record the counts of a run that has finished. Raises `WarehouseError`."""
    ended = {
        "started_at": started_at,
        "ended_at": datetime.now(UTC),
        "calls": summary.by_status,
        "reasons": summary.by_reason,
        "alarms": tuple(alarms),
        "audio_s": summary.audio_s,
    }
    record = RunRecord.model_validate(ended | {name: getattr(run, name) for name in _FACTS})
    before = read_health(warehouse)
    error = "sources that cannot be read" if run.unread else None
    if run.found_nothing and not run.unread:
        error = "no recordings found"
    health = Health(
        state="failed" if error else "attention" if alarms or summary.failed else "done",
        error=error,
        started_at=started_at,
        ended_at=record.ended_at,
        succeeded_at=(before and before.succeeded_at) if error else record.ended_at,
        last_run=record,
    )
    _write(run_file(warehouse, started_at), record, "the run's counts")
    _write(health_file(warehouse), health, "the health of nights")


def as_metrics(warehouse: Path) -> str:
    """Return the state of nightly runs and the warehouse, in Prometheus's text format.

    Raises `SettingsError` when its client library is not installed, `WarehouseError` when a
    warehouse exists but cannot be read.
    """
    try:
        from prometheus_client import CollectorRegistry, Gauge, generate_latest
    except ImportError as e:
        raise SettingsError("metrics need the extra `night`: pip install 'warmline[night]'") from e
    registry = CollectorRegistry()

    def gauge(name: str, help_text: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(f"warmline_{name}", help_text, labels, registry=registry)

    health = read_health(warehouse)
    # Also on the first day, so that an alert can see that no night has succeeded yet.
    succeeded = gauge(
        "night_succeeded_timestamp_seconds", "When a night was last done to its end; 0: never."
    )
    if health and health.succeeded_at:
        succeeded.set(health.succeeded_at.timestamp())
    if health:
        for name, help_text, at in (
            ("night_started", "When the last night began.", health.started_at),
            ("night_ended", "When the last night ended.", health.ended_at),
        ):
            if at:
                gauge(f"{name}_timestamp_seconds", help_text).set(at.timestamp())
        states = gauge("night_state", "1 for the state of the last night.", ["state"])
        for state in ("running", "done", "attention", "failed", "interrupted"):
            states.labels(state).set(health.state == state)
        if run := health.last_run:
            calls = gauge("night_calls", "Calls of the last night that ended.", ["status"])
            for status, count in (run.calls | {"unchanged": run.done_before}).items():
                calls.labels(status).set(count)
            gauge("night_alarms", "How many things need attention.").set(len(run.alarms))
            gauge("night_unread_sources", "Sources that could not be read.").set(run.unread)
            gauge("night_given_up_calls", "Calls that wait for retry.").set(run.given_up)
            unfinished = gauge("night_unfinished_files", "Files that were still being written.")
            unfinished.set(run.unfinished)
            gauge("night_duration_seconds", "How long the run took.").set(run.wall_s)
            gauge("night_audio_seconds", "Sound that was heard.").set(run.audio_s)
    if warehouse.exists():
        changed = gauge("warehouse_modified_timestamp_seconds", "When it was last published.")
        changed.set(warehouse.stat().st_mtime)
        stored = gauge("warehouse_calls", "Calls in the warehouse.", ["status"])
        with open_for_reading(warehouse) as con:
            rows = con.execute("SELECT status, count(*) FROM calls GROUP BY ALL ORDER BY 1")
            for status, count in rows.fetchall():
                stored.labels(status).set(count)
    return generate_latest(registry).decode()


def write_metrics(warehouse: Path, to: Path) -> None:
    """Write the metrics as a file that anybody may read, whole or not at all.

    Raises as `as_metrics` does, and `WarehouseError` when it cannot be written.
    """
    write_text_whole(to, as_metrics(warehouse), WarehouseError, "the metrics")
    with suppress(OSError):  # a pipe, or a folder that has been removed since
        to.chmod(0o644)  # another user reads it, and it holds only counts


def _write(path: Path, record: BaseModel, what: str) -> None:
    write_text_whole(path, record.model_dump_json(indent=2) + "\n", WarehouseError, what)


# The reports beside the warehouse: one per run, as Markdown and as an HTML page.


@dataclass(frozen=True)
class _Written:
    """An existing report: of a day, or of the run that began at that time."""

    night: date
    started_at: datetime | None


def report_files(
    warehouse: Path, night: date, started_at: datetime | None = None
) -> tuple[Path, Path]:
    """Return the paths of the report of a day, or of a run: the Markdown file and the HTML page."""
    if started_at is not None:
        base = run_file(warehouse, started_at).with_suffix("")
    else:
        base = warehouse.parent / FOLDER / f"{warehouse.stem}-{night}"
    return Path(f"{base}.md"), Path(f"{base}.html")


def write_report(report: NightReport, warehouse: Path) -> Path:
    """Write the report of a run, or of a day in place of an earlier one; return the HTML page.

    Raises `WarehouseError` naming the file when it cannot be written.
    """
    started_at = report.run.started_at if report.run else None
    markdown, page = report_files(warehouse, report.night, started_at)
    for path, text in ((markdown, as_markdown(report)), (page, as_html(report))):
        write_text_whole(path, text, WarehouseError, "the report")
    return page


def runs_of(warehouse: Path, night: date) -> tuple[RunFacts, ...]:
    """Return all runs that began on a day (UTC) and left their counts, in order."""
    written = sorted({w.started_at for w in _written(warehouse, "json") if w.started_at})
    found = (read_run(warehouse, at) for at in written if at.date() == night)
    return tuple(run for run in found if run)


def refresh_reports(warehouse: Path, settings: NightSettings) -> int:
    """Rewrite all reports from what the warehouse holds now; return how many there were.

    After calls were forgotten their names are in no report, and a report without calls is removed.
    What only the run knew is kept as counts, beside how many of its calls are left; its notes on
    files are gone. Raises `WarehouseError`
    as `read_night` and `write_report` do.
    """
    written = set(_written(warehouse))
    starts = sorted(w.started_at for w in written if w.started_at)
    for one in written:
        following = next((at for at in starts if one.started_at and at > one.started_at), None)
        run = read_run(warehouse, one.started_at) if one.started_at else None
        if one.started_at and run is None:
            run = RunFacts(0.0, 0, 0, 0, (), started_at=one.started_at)
        until = (following or datetime.now(UTC)) if one.started_at else None
        report = read_night(warehouse, one.night, settings, until=until, run=run)
        if one.started_at:
            _note_left(warehouse, one.started_at, report.calls)
        if report.calls:
            write_report(report, warehouse)
        else:
            for path in report_files(warehouse, one.night, one.started_at):
                path.unlink(missing_ok=True)
    return len(written)


def _written(warehouse: Path, suffixes: str = "md|html") -> Iterator[_Written]:
    pattern = re.compile(
        rf"{re.escape(warehouse.stem)}-(\d{{4}}-\d\d-\d\d)(?:T(\d{{6}})Z)?\.({suffixes})"
    )
    folder = warehouse.parent / FOLDER
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if match := pattern.fullmatch(path.name):
            day = date.fromisoformat(match[1])
            time = datetime.strptime(match[2], "%H%M%S").time() if match[2] else None
            yield _Written(day, datetime.combine(day, time, UTC) if time else None)
