"""The night: every recording without an analysis is analyzed, then the warehouse is published.

This folder is the only place that knows Prefect. The flow's body reads as the pipeline; what it
does is in the library, and `warmline analyze` calls the same functions.
"""

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

import platformdirs

# Before Prefect is imported: it reports to nobody, and what it keeps lies with the user.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_HOME", str(platformdirs.user_state_path("warmline") / "prefect"))
# A busy machine takes longer than 20 s to start the server that lives for one run.
_STARTUP_S = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
os.environ.setdefault(_STARTUP_S, "300")
# One by one, as a server records the states of tasks by default, costs as much as a short call.
_RECORDER = "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER"
os.environ.setdefault(f"{_RECORDER}_BATCH_SIZE", "100")
os.environ.setdefault(f"{_RECORDER}_READ_BATCH_SIZE", "100")

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.blocks.core import Block
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import (
    ConcurrencyLimitConfig,
    ConcurrencyLimitStrategy,
)
from prefect.settings import PREFECT_API_URL, temporary_settings

from night_runners import analyze_all
from warmline.encryption import look_for_key, without_key
from warmline.erasing import Retained, apply_retention, finish_erasing
from warmline.errors import ScheduleError, WarehouseError
from warmline.landing import LandingError, compact
from warmline.locks import LockedError
from warmline.nights import (
    NightReport,
    RunFacts,
    as_markdown,
    forget_runs,
    prefect_home,
    read_night,
    write_report,
)
from warmline.pipeline import (
    Addressing,
    Order,
    Plan,
    Redo,
    Tally,
    all_measures,
    land_duplicates,
    make_plan,
    with_later,
)
from warmline.places import Places, UnfinishedErasureError, places_of
from warmline.recordings.metadata import read_table
from warmline.recordings.remote import as_source
from warmline.settings import NightSettings, ProfileSettings, Settings, load_settings
from warmline.warehouse import publish as publish_warehouse

# More than come in a night, and few enough for a server that waits meanwhile.
_FORGOTTEN_A_NIGHT = 3


@flow(name="analyze-calls")
def analyze_calls(
    sources: list[str] | None = None,
    metadata: str | None = None,
    landing: str | None = None,
    warehouse: str | None = None,
    settings_file: str | None = None,
    redo: list[str] | None = None,
    since: date | None = None,
    until: date | None = None,
) -> dict[str, Any]:
    """Analyze what is pending, publish the warehouse, and leave a report.

    What is not given comes from the settings file (`[night]`, `[places]`). `redo` names stages to
    compute again for calls of the days `since` to `until`.
    """
    started, started_at = perf_counter(), datetime.now(UTC)
    settings = load_settings(_path(settings_file))
    look_for_key(settings.encryption.key_env, settings.encryption.key_file)
    try:
        places = places_of(settings, _path(landing), _path(warehouse))
    except UnfinishedErasureError as e:
        finish_erasing(e.places, settings, in_a_night=True)
        places = places_of(settings, _path(landing), _path(warehouse))
    table = metadata or settings.night.metadata or None
    order = Order(Addressing.of(settings), str(places.landing), table)
    again = Redo(with_later(redo), since, until) if redo else None

    plan = find_pending(sources or settings.night.sources, order, again)
    outcomes = analyze_all(plan.pending, order)
    retained = retain(places, settings)
    publish(places.landing, places.warehouse, settings.profile)
    pack(places.landing)
    forget_old_nights(settings.night.keep_runs_days)
    tally = Tally(plan, tuple(outcomes), perf_counter() - started)
    return leave_report(tally, places.warehouse, settings.night, started_at, retained)


@task(cache_policy=NO_CACHE)
def find_pending(sources: Sequence[str], order: Order, redo: Redo | None) -> Plan:
    """Recordings without an analysis of today's making; copies of others are noted."""
    table = read_table(Path(order.metadata)) if order.metadata else None
    landing = Path(order.landing)
    named = [as_source(source) for source in sources]
    plan = make_plan(named, landing, order.addressing, table, redo)
    land_duplicates(plan, landing, order.settings)
    get_run_logger().info("%d to analyze, %d done before", len(plan.pending), len(plan.unchanged))
    return plan


@task(cache_policy=NO_CACHE)
def retain(places: Places, settings: Settings) -> Retained:
    """Erase calls, and words, that are older than `[retention]` allows."""
    if not (settings.retention.calls_days or settings.retention.words_days):
        return Retained(0, 0)
    retained = apply_retention(places, settings, datetime.now(UTC), in_a_night=True)
    get_run_logger().info(
        "too old to be kept: %d calls, and the words of %d", retained.calls, retained.words
    )
    return retained


@task(cache_policy=NO_CACHE)
def publish(landing: Path, warehouse: Path, profile: ProfileSettings) -> None:
    """Load what has landed, check it, and put the new warehouse in the place of the old."""
    published = publish_warehouse(landing, warehouse, all_measures(), profile)
    for name, why in published.unreadable.items():
        get_run_logger().warning(
            "landing file %s is damaged, its calls stay as they were: %s", name, why
        )


@task(cache_policy=NO_CACHE)
def pack(landing: Path) -> None:
    """Merge what has been published into packs, so that a year of calls is not millions of files.

    The morning's numbers are there before; what cannot be packed tonight is packed tomorrow.
    """
    try:
        packing = compact(landing)
    except (LockedError, LandingError, OSError) as e:
        get_run_logger().warning("not packed, the next night tries again: %s", e)
        return
    get_run_logger().info("%d analyses packed into %d files", packing.packed, packing.packs)
    for name, why in packing.unreadable.items():
        get_run_logger().warning("landing file %s: %s", name, why)


def forget_old_nights(keep_runs_days: int) -> None:
    """Keep Prefect's own database small, also where a schedule serves for months."""
    try:
        forget_runs(prefect_home(), keep_runs_days, at_most=_FORGOTTEN_A_NIGHT)
    except WarehouseError as e:  # a server that is busy
        get_run_logger().warning("%s; the next night tries again", e)


def leave_report(
    tally: Tally,
    warehouse: Path,
    settings: NightSettings,
    started_at: datetime,
    retained: Retained,
) -> dict[str, Any]:
    """The night's report beside the warehouse and as an artifact; its counts are the result.

    Somebody is told, if the settings say so, when an alarm or a failed call asks for a person.
    """
    run = RunFacts.of(tally, retained.calls, retained.words)
    report = read_night(warehouse, started_at.date(), settings, until=datetime.now(UTC), run=run)
    page = write_report(report, warehouse)[-1]
    create_markdown_artifact(
        as_markdown(report), key="night-report", description="Calls analyzed, refused, failed"
    )
    if settings.notify and (report.alarms or tally.failed):
        notify(settings.notify, report, tally.failed)
    erased = {"calls": retained.calls, "words": retained.words}
    return tally.as_dict() | {
        "alarms": list(report.alarms),
        "report": str(page),
        "too_old_and_erased": erased,
    }


def notify(block: str, report: NightReport, failed: int) -> None:
    """Tell, by a Prefect block, what asks for a person: in counts, and without a call's name.

    A block that is wrong or cannot be reached ends no night: that is a warning in the log.
    """
    lines = [*report.alarms, *([f"calls that failed: {failed}"] if failed else [])]
    try:
        Block.load(block).notify(body="\n".join(lines), subject=f"Night of {report.night}")
    except Exception as e:  # whatever a block of the user's choice may raise
        get_run_logger().warning("nobody was told: %s: %s", block, type(e).__name__)


def serve(cron: str, parameters: dict[str, Any]) -> None:
    """Run the flow every night, until interrupted; one night at a time.

    The API that the environment names is used; where it names none, a server is started that only
    this machine can reach, and that ends with the schedule.
    """
    with _server() as api_url, temporary_settings({PREFECT_API_URL: api_url}):
        analyze_calls.serve(
            name="nightly",
            cron=cron,
            parameters=parameters,
            global_limit=ConcurrencyLimitConfig(
                limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
            ),
        )


@contextmanager
def _server() -> Iterator[str]:
    if url := PREFECT_API_URL.value():
        yield url
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host=127.0.0.1"]
    # The server opens its database there and makes no folder for it.
    Path(os.environ["PREFECT_HOME"]).expanduser().mkdir(parents=True, exist_ok=True)
    server = subprocess.Popen(
        [*command, f"--port={port}"],
        stdout=subprocess.DEVNULL,
        env=without_key(dict(os.environ)),
    )
    try:
        _wait_for(url, server)
        yield url
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    """Until the server answers. Raises `ScheduleError` when it ends or takes too long."""
    deadline = monotonic() + float(os.environ[_STARTUP_S])
    while monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=2).close()
        except OSError:
            sleep(0.5)
        else:
            return
    raise ScheduleError(
        f"the Prefect server at {url} did not start (what it said stands above); "
        f"it keeps its database in {os.environ['PREFECT_HOME']}"
    )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None
