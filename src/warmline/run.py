"""One run: find, plan, analyze, retain, compact, publish.

`warmline analyze`, `warmline nightly` and the Prefect flow all call `run`. What differs between
them (who carries out a step, what is shown meanwhile, where calls are analyzed) is in their hooks.
Calls that failed too often for a run to try them again are put back here, too.
"""

import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, sleep
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from warmline import landing
from warmline.analysis import dated_after
from warmline.errors import WarmlineError
from warmline.files import LockedError, Places
from warmline.landing import Compaction, Landed, LandingError
from warmline.pipeline.calls import Outcome, RunConfig, RunSummary
from warmline.pipeline.plan import Plan, PlannedCall, Redo, land_duplicates, make_plan
from warmline.pipeline.stages import CacheKeys, all_measures
from warmline.pipeline.workers import Workers, have_sound
from warmline.privacy.erasing import Retained, apply_retention
from warmline.processes import plain_interrupts
from warmline.recordings.metadata import read_table
from warmline.settings import Settings
from warmline.warehouse.publishing import PublishReport, publish

T = TypeVar("T")


class Runner(Protocol):
    """Analyzes each call once, in processes of this machine or elsewhere."""

    def __call__(
        self, calls: Sequence[PlannedCall], attempt: int
    ) -> Iterator[tuple[PlannedCall, Outcome]]:
        """Yield calls and their outcomes as they end; `attempt` 0 is the first."""


class RunHooks:
    """Let a caller take part in a run; these hooks do nothing more than the run itself."""

    def step(self, name: str, work: Callable[[], T]) -> T:  # noqa: ARG002
        """Carry out a step: "plan", "retain", "compact" or "publish"."""
        return work()

    def planned(self, plan: Plan) -> None:
        """Receive the plan before work begins; raise `WarmlineError` to call the run off."""

    def ended(self, outcome: Outcome) -> None:
        """Receive the outcome of a call after its last attempt."""

    @contextmanager
    def runner(self, config: RunConfig, calls: Sequence[PlannedCall]) -> Iterator[Runner]:
        """Start the processes that analyze the calls of this run, and end them after it."""
        with Workers(config, len(calls), listens=have_sound(calls)) as workers:
            yield workers.analyze


@dataclass(frozen=True)
class RunRequest:
    """A request to analyze recordings: which, how, and where results go.

    `sources` are paths, and URLs of remote places; `metadata` is the path of a CSV. With
    `allow_loss` a warehouse may be published without calls that it had.
    """

    sources: tuple[Path | str, ...]
    settings: Settings
    places: Places
    metadata: Path | None = None
    redo: Redo | None = None
    allow_loss: bool = False


@dataclass(frozen=True)
class RunResult:
    """The result of a run. `notes` are sentences on what did not go as it should."""

    summary: RunSummary
    published: PublishReport
    retained: Retained
    started_at: datetime
    notes: tuple[str, ...] = ()


def run(request: RunRequest, hooks: RunHooks | None = None) -> RunResult:
    """Do everything that is pending under the sources, and publish the warehouse.

    If a source cannot be read, the others are analyzed all the same; `require_read` reports it. If
    the run is interrupted, what was finished has landed, and the next run continues from there.
    Raises `WarmlineError` for what concerns the run as a whole.
    """
    hooks = hooks or RunHooks()
    started, started_at = perf_counter(), datetime.now(UTC)
    settings, places = request.settings, request.places
    table = str(request.metadata) if request.metadata else None
    require_writable(places)
    config = RunConfig(CacheKeys.of(settings), str(places.landing), table)
    plan = _step(hooks, "plan", lambda: _plan(request, config))
    hooks.planned(plan)
    land_duplicates(plan, places.landing, settings)
    outcomes: tuple[Outcome, ...] = ()
    if plan.pending:
        with hooks.runner(config, plan.pending) as runner:
            delays_s = settings.night.retry_delays_s
            outcomes = tuple(analyze_with_retries(plan.pending, runner, delays_s, hooks.ended))
    retained = _retain(request, hooks)
    compacted = _step(hooks, "compact", lambda: _compact(places.landing))
    published = _step(
        hooks,
        "publish",
        lambda: publish(
            places.landing,
            places.warehouse,
            all_measures(),
            settings.profile,
            allow_loss=request.allow_loss,
        ),
    )
    notes = [f"landing file {name}: {why}" for name, why in published.unreadable.items()]
    summary = RunSummary(plan, outcomes, perf_counter() - started)
    return RunResult(summary, published, retained, started_at, (*notes, *compacted))


def require_read(plan: Plan) -> None:
    """Raise `WarmlineError` when a source could not be read, or no recording was found in any."""
    if plan.away:
        raise WarmlineError("; ".join(plan.away))
    if plan.found_nothing:
        raise WarmlineError(f"no recordings found: {'; '.join(plan.problems)}")


def require_writable(places: Places) -> None:
    """Raise `WarmlineError` before any work if warehouse or landing folder cannot be written.

    Folders that are missing are made later.
    """
    if places.warehouse.is_dir():
        raise WarmlineError(
            f"{places.warehouse}: a folder; name the file of the warehouse, such as "
            f"{places.warehouse / 'calls.duckdb'}"
        )
    for place in (places.warehouse.parent, places.landing):
        nearest = next(p for p in (place, *place.absolute().parents) if os.path.lexists(p))
        if not nearest.is_dir():
            raise WarmlineError(f"{place}: no folder can be made there, {nearest} is a file")
        try:
            with tempfile.TemporaryFile(dir=nearest):
                pass
        except OSError as e:
            raise WarmlineError(f"{place}: cannot write to {nearest} ({e.strerror or e})") from e


def require_there(sources: Sequence[Path | str]) -> None:
    """Raise `WarmlineError` naming the paths that are not there, before any work."""
    # Path.exists raises where we may not look; the plan says what such a place is.
    missing = [str(s) for s in sources if isinstance(s, Path) and not os.path.lexists(s)]
    if missing:
        raise WarmlineError(
            f"no such file or folder, or no permission to see it: {', '.join(missing)}"
        )


def analyze_with_retries(
    calls: Sequence[PlannedCall],
    runner: Runner,
    delays_s: Sequence[float],
    on_end: Callable[[Outcome], None] = lambda _: None,
) -> Iterator[Outcome]:
    """Yield the outcome of each call as it ends for good.

    Calls that failed for a reason that may pass are tried again once the others have ended: after
    the first of `delays_s`, then after the second, and so on. `on_end` gets each final outcome.
    """
    for attempt in range(len(delays_s) + 1):
        again: list[PlannedCall] = []
        for call, outcome in runner(calls, attempt):
            if outcome.may_pass and attempt < len(delays_s):
                again.append(call)
                continue
            on_end(outcome)
            yield outcome
        if not again:
            return
        calls = again
        sleep(delays_s[attempt])


def _step(hooks: RunHooks, name: str, work: Callable[[], T]) -> T:
    """Have a step carried out; an interrupt in it is one to whoever carries it out."""

    def carry_out() -> T:
        with plain_interrupts():
            return work()

    return hooks.step(name, carry_out)


def _plan(request: RunRequest, config: RunConfig) -> Plan:
    zone = ZoneInfo(request.settings.recordings.timezone)
    table = read_table(request.metadata, zone) if request.metadata else None
    folder = request.places.landing
    return make_plan(request.sources, folder, config.cache_keys, table, request.redo)


def _retain(request: RunRequest, hooks: RunHooks) -> Retained:
    """Erase calls, and words, that are older than `[retention]` allows."""
    settings, limits = request.settings, request.settings.retention
    if not (limits.calls_days or limits.words_days):
        return Retained(0, 0)
    return _step(
        hooks,
        "retain",
        lambda: apply_retention(
            request.places,
            settings,
            datetime.now(UTC),
            in_a_night=True,
            allow_loss=request.allow_loss,
        ),
    )


def _compact(landing_dir: Path) -> tuple[str, ...]:
    """Merge landed files into packs, which halves publishing and saves millions of files a year.

    Returns a note for what could not be merged; the next run tries again.
    """
    try:
        done: Compaction = landing.compact(landing_dir)
    except (LockedError, LandingError, OSError) as e:
        return (f"not compacted, the next run tries again: {e}",)
    return tuple(f"landing file {name}: {why}" for name, why in done.unreadable.items())


# Calls that failed too often and are left alone, put back by a person who has looked at them.


def failed_calls(
    landing_dir: Path, calls: Collection[str] = (), reasons: Collection[str] = ()
) -> list[Landed]:
    """Return calls that have failed, in order of path: those named, and of a named reason code.

    A call is named by its id, by that with `~` and its digest, or by its recording's path. Without
    a name or reason, all of them. Raises `LandingError` when the folder cannot be read.
    """
    failed = [
        call
        for call in landing.known(landing_dir)
        if call.failed_runs > 0
        and (
            not (calls or reasons)
            or not names_of(call).isdisjoint(calls)
            or call.reason_code in reasons
        )
    ]
    return sorted(failed, key=lambda call: call.path)


def names_of(call: Landed) -> frozenset[str]:
    """Return what a landed call may be called: its id, its exact name, its recording's path."""
    return frozenset((call.call_id, exact_name_of(call), call.path))


def exact_name_of(call: Landed) -> str:
    """Return the name that no other call has, also where others claim the same id."""
    return f"{call.call_id}~{call.landing_key.rpartition('/')[2][:8]}"


def put_back(landing_dir: Path, failed: Iterable[Landed]) -> int:
    """Forget how often calls have failed, so that the next run takes them; returns how many.

    Stages that they had passed are kept. Raises `LandingError` when a file cannot be written.
    """
    count = 0
    for call in failed:
        analysis = landing.read_landed(landing_dir, call)
        fresh = dated_after(replace(analysis, failed_runs=0), analysis.analyzed_at)
        landing.write(fresh, landing_dir)
        count += 1
    return count
