"""The night as a Prefect flow: `warmline.run`, with its steps and its calls as Prefect's tasks.

This folder is the only place that knows Prefect. What a night does is in the library, and `warmline
analyze` calls the same function; the flow adds tasks, a report as an artifact, and notification.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from multiprocessing import active_children
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from night_server import has_server_of_its_own, prefect_api  # before Prefect

# isort: split

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.blocks.core import Block
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import (
    ConcurrencyLimitConfig,
    ConcurrencyLimitStrategy,
)
from prefect.client.schemas.schedules import CronSchedule
from prefect.runner import Runner

from night_runners import open_runner, quietly_interrupted
from warmline.encryption import look_for_key
from warmline.errors import SettingsError, WarehouseError, WarmlineError, one_line
from warmline.files import UnfinishedErasureError
from warmline.pipeline.calls import Outcome, RunConfig, RunSummary
from warmline.pipeline.plan import Plan, PlannedCall, Redo
from warmline.pipeline.stages import with_later
from warmline.privacy.erasing import finish_erasing, forget_runs, prefect_home
from warmline.processes import end_with, plain_interrupts
from warmline.recordings.remote import as_source
from warmline.reports.monitoring import note_end, noted, read_night, write_report
from warmline.reports.report import NightReport, RunFacts, as_markdown, left_for_later
from warmline.run import RunHooks, RunRequest, require_read, run
from warmline.run import Runner as RunsCalls
from warmline.settings import NightSettings, load_settings
from warmline.warehouse.landing_folder import known_places

T = TypeVar("T")

# More than come in a night, and few enough for a server that waits meanwhile.
_FORGOTTEN_A_NIGHT = 3
# How long a night may take to end when its schedule is told to.
_ENDING_S = 20.0
# The process of a schedule, to those that it starts.
_SCHEDULE = "WARMLINE_SCHEDULE"


def without_traceback(record: logging.LogRecord) -> bool:
    """Take the traceback from a log of what its message says in full.

    Return false for the address of a page on the night's own server, which answers nobody.
    """
    if record.exc_info and isinstance(record.exc_info[1], WarmlineError):
        record.exc_info = None
    return not (record.getMessage().startswith("View at http") and has_server_of_its_own())


logging.getLogger("prefect.flow_runs").addFilter(without_traceback)
logging.getLogger("prefect.task_runs").addFilter(without_traceback)


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
    compute again for calls of the days `since` to `until`. Raises `WarmlineError` for what concerns
    the night as a whole; for a source that cannot be read, after all else is done.
    """
    started_at = datetime.now(UTC)
    end_with_schedule()
    settings = load_settings(_path(settings_file))
    look_for_key(settings.encryption.key_env, settings.encryption.key_file)
    try:
        places = known_places(settings, _path(landing), _path(warehouse))
    except UnfinishedErasureError as e:
        finish_erasing(e.places, settings, in_a_night=True)
        places = known_places(settings, _path(landing), _path(warehouse))
    named = tuple(as_source(source) for source in sources or settings.night.sources)
    table = _path(metadata or settings.night.metadata or None)
    again = Redo(with_later(redo), since, until) if redo else None
    notes = find_notifier(settings.night.notify)

    hooks = PrefectHooks()
    with (
        noted(places.warehouse, started_at) as unreported_since,
        hooks.told_if_ended(started_at),
        quietly_interrupted(),
        plain_interrupts(),
    ):
        result = run(RunRequest(named, settings, places, table, again), hooks)
        for note in result.notes:
            get_run_logger().warning("%s", note)
        forget_old_nights(settings.night.keep_runs_days)
        facts = RunFacts.of(
            result.summary,
            started_at=started_at,
            notes=notes,
            erased_calls=result.retained.calls,
            erased_words=result.retained.words,
            unreported_since=unreported_since,
        )
        counts = leave_report(result.summary, places.warehouse, settings.night, started_at, facts)
    require_sources(result.summary.plan, counts)
    return counts


class PrefectHooks(RunHooks):
    """Has Prefect carry out the steps of a run, and each call, as tasks of this flow."""

    pending: int | None = None
    done: int = 0

    def step(self, name: str, work: Callable[[], T]) -> T:
        """Carry out a step as a task of this name."""
        return task(work, name=name, task_run_name=name, cache_policy=NO_CACHE)()

    def planned(self, plan: Plan) -> None:
        """Log how many calls there are."""
        self.pending = len(plan.pending)
        get_run_logger().info("%d to analyze, %d done before", self.pending, plan.done_before)

    def ended(self, outcome: Outcome) -> None:  # noqa: ARG002
        """Count the calls that are done."""
        self.done += 1

    @contextmanager
    def told_if_ended(self, started_at: datetime) -> Iterator[None]:
        """Say in one line how far a night of a schedule was that is told to end."""
        try:
            yield
        except Exception:
            raise
        except BaseException:
            if os.environ.get(_SCHEDULE):
                sys.stderr.write(f"{self._so_far(started_at)}\n")
            raise

    def _so_far(self, started_at: datetime) -> str:
        night = f"the night of {started_at:%Y-%m-%d %H:%M} UTC was told to end"
        if self.pending is None:
            return f"{night} before it had begun; the next one does all of it"
        kept = f"{self.done} of {self.pending} calls are analyzed and kept"
        return f"{night}: {kept}; the next one continues from there"

    @contextmanager
    def runner(self, config: RunConfig, calls: Sequence[PlannedCall]) -> Iterator[RunsCalls]:
        """Open what `night.runner` names."""
        with open_runner(config, calls) as runner:
            yield runner


def forget_old_nights(keep_runs_days: int) -> None:
    """Keep Prefect's own database small, also where a schedule serves for months."""
    try:
        forget_runs(prefect_home(), keep_runs_days, at_most=_FORGOTTEN_A_NIGHT)
    except WarehouseError as e:  # a server that is busy
        get_run_logger().warning("%s; the next night tries again", e)


def find_notifier(block: str) -> tuple[str, ...]:
    """Find out before the work whether there is somebody to tell; if not, the report says so."""
    if not block:
        return ()
    try:
        load_notifier(block)
    except SettingsError as e:
        get_run_logger().warning("%s", e)
        return (str(e),)
    return ()


def leave_report(
    summary: RunSummary,
    warehouse: Path,
    settings: NightSettings,
    started_at: datetime,
    run: RunFacts,
) -> dict[str, Any]:
    """The night's report beside the warehouse and as an artifact; its counts are the result.

    Somebody is told, if the settings say so, when an alarm or a failed call needs attention.
    """
    report = read_night(warehouse, started_at.date(), settings, until=datetime.now(UTC), run=run)
    page = write_report(report, warehouse)
    create_markdown_artifact(
        as_markdown(report), key="night-report", description="Calls analyzed, refused, failed"
    )
    alarms = list(report.alarms)
    if settings.notify and (alarms or summary.failed):
        alarms += notify(settings.notify, report, summary.failed)
    ended = replace(run, calls_reported=report.calls)
    note_end(warehouse, started_at, summary, ended, alarms)
    erased = {"calls": run.erased_calls, "words": run.erased_words}
    problems = [*summary.plan.problems, *left_for_later(summary.plan.unfinished)]
    return summary.as_dict() | {
        "problems": problems,
        "alarms": alarms,
        "report": str(page),
        "too_old_and_erased": erased,
    }


def notify(block: str, report: NightReport, failed: int) -> tuple[str, ...]:
    """Tell, by a Prefect block, what needs attention: in counts, and without a call's name.

    A block that is wrong or cannot be reached ends no night: it is an alarm of its own.
    """
    lines = [*report.alarms, *([f"calls that failed: {failed}"] if failed else [])]
    try:
        load_notifier(block).notify(body="\n".join(lines), subject=f"Night of {report.night}")
    except Exception as e:  # whatever a block of the user's choice may raise
        get_run_logger().warning("nobody was told: %s: %s", block, type(e).__name__)
        return (f"nobody was told: {block}: {type(e).__name__}",)
    return ()


def require_sources(plan: Plan, counts: dict[str, Any]) -> None:
    """Raise `WarmlineError` as `require_read`, saying as well what was done of the rest."""
    try:
        require_read(plan)
    except WarmlineError as e:
        ended = ", ".join(f"{count} {name}" for name, count in counts["calls"].items() if count)
        rest = f"all else is done ({ended or 'no calls'}), " if plan.away else ""
        raise WarmlineError(f"{one_line(str(e))}; {rest}report: {counts['report']}") from e


def once(parameters: dict[str, Any]) -> dict[str, Any]:
    """Run the night now; returns its counts. Raises `WarmlineError` as the flow does."""
    with prefect_api():
        counts: dict[str, Any] = analyze_calls(**parameters)
        return counts


def serve(cron: str, timezone: str, notify_block: str, parameters: dict[str, Any]) -> None:
    """Run the flow every night, until interrupted; one night at a time.

    Raises `SettingsError` when the times cannot be read or there is no such block.
    """
    schedule = schedule_of(cron, timezone)
    os.environ[_SCHEDULE] = str(os.getpid())
    with prefect_api(schedules=True):
        if notify_block:
            load_notifier(notify_block)
        runner = Runner(name="nightly")
        runner.add_flow(
            analyze_calls,
            name="nightly",
            schedule=schedule,
            parameters=parameters,
            concurrency_limit=ConcurrencyLimitConfig(
                limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW
            ),
        )
        with suppress(KeyboardInterrupt):  # how it is ended: its night says what was interrupted
            run_until_ended(runner)


def run_until_ended(runner: Runner) -> None:
    """Start nights when they are due, until this process is interrupted or told to end.

    In a thread: in the main one, Prefect takes a request to end for itself, and leaves a traceback.
    """
    loop = asyncio.new_event_loop()
    starting = loop.create_task(runner.start())
    with ThreadPoolExecutor(1) as threads:
        served = threads.submit(loop.run_until_complete, starting)
        try:
            served.result()
        finally:
            end_nights()
            loop.call_soon_threadsafe(starting.cancel)


def end_nights() -> None:
    """End the nights that this schedule has started, as long as there is a server to tell.

    A night that goes on without one asks for it for minutes, and the schedule would wait for that.
    """
    nights = active_children()
    for night in nights:
        night.terminate()
    for night in nights:
        night.join(_ENDING_S)
        if night.is_alive():
            night.kill()


def end_with_schedule() -> None:
    """End when the schedule that started this night was killed: its server has ended with it."""
    if schedule := os.environ.get(_SCHEDULE):
        Thread(target=end_with, args=(int(schedule),), daemon=True).start()


def schedule_of(cron: str, timezone: str) -> CronSchedule:
    """The times of a cron expression by the clocks of a time zone, such as Europe/Berlin.

    Raises `SettingsError` for an expression or a time zone that there is not.
    """
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as e:
        raise SettingsError(
            f"time zone {timezone!r}: there is none; UTC, or one such as Europe/Berlin"
        ) from e
    try:
        return CronSchedule(cron=cron, timezone=timezone)
    except ValueError as e:
        raise SettingsError(
            f'cron {cron!r}: no times can be read from it; "0 2 * * *" is every night at two'
        ) from e


def starts(cron: str, timezone: str, after: datetime, count: int) -> list[datetime]:
    """Return when the next nights begin, by the clocks there. Raises `SettingsError` as above."""
    from prefect.server.schemas.schedules import CronSchedule as Planned

    planned = Planned.model_validate(schedule_of(cron, timezone).model_dump())
    found = asyncio.run(planned.get_dates(count, start=after))
    return [moment.astimezone(ZoneInfo(timezone)) for moment in found]


def load_notifier(block: str) -> Any:
    """The Prefect block of this name (type/name). Raises `SettingsError` when there is none."""
    try:
        loaded = Block.load(block)
    except Exception as e:  # whatever Prefect, or a block of the user's choice, may raise
        raise SettingsError(
            f"night.notify = {block!r}: Prefect cannot load such a block "
            f"({type(e).__name__}); `prefect block ls` lists what there is"
        ) from e
    if not hasattr(loaded, "notify"):
        raise SettingsError(f"night.notify = {block!r}: a block, but none that tells anybody")
    return loaded


def try_notifier(block: str) -> None:
    """Have a block say that it works. Raises `SettingsError` when it cannot."""
    with prefect_api():
        loaded = load_notifier(block)
        try:
            loaded.notify(body="This is a test: warmline would tell you here.", subject="warmline")
        except Exception as e:  # whatever a block of the user's choice may raise
            raise SettingsError(
                f"night.notify = {block!r}: nobody was told, the block ended with "
                f"{type(e).__name__}"
            ) from e


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None
