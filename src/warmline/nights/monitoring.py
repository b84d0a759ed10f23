"""What a monitoring system reads of nights: files of counts beside the reports, no call's name.

`reports/<warehouse>-health.json` says how the last night stands, from its beginning on;
`reports/<warehouse>-<day>T<time>Z.json` how each ended. `as_metrics` has the same, and what the
warehouse holds, in Prometheus' text format.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from warmline import __version__
from warmline.database import open_for_reading
from warmline.errors import SettingsError, WarehouseError
from warmline.nights.report import RunFacts
from warmline.pipeline import Tally
from warmline.whole_files import write_text_whole

FOLDER = "reports"
# What a run's record has of its facts: all counts.
_FACTS = (
    *("wall_s", "done_before", "given_up", "unfinished", "unread", "closed"),
    *("forgotten", "opted_out", "erased_calls", "erased_words"),
)


class RunRecord(BaseModel):
    """How a run ended, in counts; the fields from `wall_s` on are those of `RunFacts`."""

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


class Health(BaseModel):
    """How the last night stands.

    `state` is `running`, `done`, `attention` (done, and something asks for a person) or `failed`:
    then `error` names the kind of error, whose text is in the log. `succeeded_at` is when a night
    was last done to its end, every source read.
    """

    model_config = ConfigDict(frozen=True)

    version: str = __version__
    state: Literal["running", "done", "attention", "failed"]
    started_at: datetime
    ended_at: datetime | None = None
    succeeded_at: datetime | None = None
    error: str | None = None
    last_run: RunRecord | None = None


def health_file(warehouse: Path) -> Path:
    """Where the health of a warehouse's nights is said."""
    return warehouse.parent / FOLDER / f"{warehouse.stem}-health.json"


def run_file(warehouse: Path, started_at: datetime) -> Path:
    """Where a run leaves its counts."""
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
    try:
        data = run_file(warehouse, started_at).read_bytes()
        record = RunRecord.model_validate_json(data)
    except (OSError, ValidationError):
        return None
    counts = {name: getattr(record, name) for name in _FACTS}
    return RunFacts(**counts, problems=(), started_at=record.started_at)


@contextmanager
def noted(warehouse: Path, started_at: datetime) -> Iterator[None]:
    """Say that a night is running, and that it failed when the block raises.

    Raises `WarehouseError` at once when the file cannot be written: so a night without a place
    for its report ends before its work.
    """
    before = read_health(warehouse)
    running = Health(
        state="running",
        started_at=started_at,
        succeeded_at=before.succeeded_at if before else None,
        last_run=before.last_run if before else None,
    )
    _write(health_file(warehouse), running, "the health of nights")
    try:
        yield
    except BaseException as e:
        ended = {"state": "failed", "ended_at": datetime.now(UTC), "error": type(e).__name__}
        failed = running.model_copy(update=ended)
        with suppress(WarehouseError):  # what ended the night is what has to be said
            _write(health_file(warehouse), failed, "the health of nights")
        raise


def note_end(
    warehouse: Path, started_at: datetime, tally: Tally, run: RunFacts, alarms: Sequence[str]
) -> None:
    """Leave the counts of a run that has come to its end. Raises `WarehouseError`."""
    ended = {
        "started_at": started_at,
        "ended_at": datetime.now(UTC),
        "calls": tally.by_status,
        "reasons": tally.by_reason,
        "alarms": tuple(alarms),
        "audio_s": tally.audio_s,
    }
    record = RunRecord.model_validate(ended | {name: getattr(run, name) for name in _FACTS})
    before = read_health(warehouse)
    health = Health(
        state="failed" if run.unread else "attention" if alarms or tally.failed else "done",
        error="sources that cannot be read" if run.unread else None,
        started_at=started_at,
        ended_at=record.ended_at,
        succeeded_at=(before and before.succeeded_at) if run.unread else record.ended_at,
        last_run=record,
    )
    _write(run_file(warehouse, started_at), record, "the run's counts")
    _write(health_file(warehouse), health, "the health of nights")


def as_metrics(warehouse: Path) -> str:
    """Return how nights and the warehouse stand, in Prometheus' text format.

    Raises `SettingsError` when its client library is not installed, `WarehouseError` when there is
    a warehouse that cannot be read.
    """
    try:
        from prometheus_client import CollectorRegistry, Gauge, generate_latest
    except ImportError as e:
        raise SettingsError("metrics need the extra `night`: pip install 'warmline[night]'") from e
    registry = CollectorRegistry()

    def gauge(name: str, help_text: str, labels: Sequence[str] = ()) -> Gauge:
        return Gauge(f"warmline_{name}", help_text, labels, registry=registry)

    if health := read_health(warehouse):
        for name, help_text, at in (
            ("night_started", "When the last night began.", health.started_at),
            ("night_ended", "When the last night ended.", health.ended_at),
            ("night_succeeded", "When a night was last done to its end.", health.succeeded_at),
        ):
            if at:
                gauge(f"{name}_timestamp_seconds", help_text).set(at.timestamp())
        states = gauge("night_state", "1 for the state of the last night.", ["state"])
        for state in ("running", "done", "attention", "failed"):
            states.labels(state).set(health.state == state)
        if run := health.last_run:
            calls = gauge("night_calls", "Calls of the last night that ended.", ["status"])
            for status, count in (run.calls | {"unchanged": run.done_before}).items():
                calls.labels(status).set(count)
            gauge("night_alarms", "What asked for a person.").set(len(run.alarms))
            gauge("night_unread_sources", "Sources that could not be read.").set(run.unread)
            gauge("night_given_up_calls", "Calls that wait for retry.").set(run.given_up)
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
    """Write the metrics as a file that may be read by anybody, whole or not at all.

    Raises as `as_metrics` does, and `WarehouseError` when it cannot be written.
    """
    write_text_whole(to, as_metrics(warehouse), WarehouseError, "the metrics")
    with suppress(OSError):  # a pipe, or a folder that has been taken away since
        to.chmod(0o644)  # it is read by another user, and holds counts alone


def _write(path: Path, record: BaseModel, what: str) -> None:
    write_text_whole(path, record.model_dump_json(indent=2) + "\n", WarehouseError, what)
