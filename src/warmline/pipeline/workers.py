"""Processes that analyze calls, so that a call that hangs or crashes ends nothing but itself.

Every process loads its own models, once. A call that takes too long is ended with its process; a
process that dies (a fault in native code, memory exhausted) is replaced. In both cases the call
lands as failed with the reason, and the others go on.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import count, islice
from pathlib import Path, PurePath
from threading import Lock
from types import TracebackType
from typing import Self
from weakref import WeakSet

from pebble import ProcessExpired, ProcessPool

from warmline import landing, processes
from warmline.analysis import CallAnalysis, base_analysis
from warmline.errors import Status, WarmlineError
from warmline.files import sweep
from warmline.pipeline.calls import (
    COPY,
    Outcome,
    RunConfig,
    analyze_calls,
    land,
    outcome_of,
)
from warmline.pipeline.plan import PlannedCall
from warmline.processes import (
    ProgressCallback,
    ProgressFile,
    batches,
    cores,
    give_memory_back,
    how_it_died,
    jobs_at_once,
    memory_limit_gb,
    no_progress,
    settle_in,
    threads_each,
)
from warmline.recordings.metadata import MetadataTable, read_metadata, read_table
from warmline.recordings.sound import scratch_folder
from warmline.settings import with_overrides

Batch = tuple[PlannedCall, ...]

# An hour of one telephone channel, uncompressed in 16 bits, and at 32 kbit/s.
_UNCOMPRESSED_HOUR_BYTES = 57_600_000
_COMPRESSED_HOUR_BYTES = 14_400_000
_UNCOMPRESSED = frozenset({".wav", ".au", ".aif", ".aiff"})


def time_limit_s(batch: Batch, an_hour_s: float, longest_s: float) -> float:
    """Return how long a batch may take, s: `an_hour_s`, or that per hour of a large recording.

    The recording's length is guessed from its size, `longest_s` at most: only an analyzing process
    may open it.
    """
    hours = sum(_size(call) / _hour_bytes(call.path) for call in batch)
    return an_hour_s * max(1.0, min(hours, longest_s / 3600))


def _hour_bytes(path: str) -> int:
    is_uncompressed = PurePath(path).suffix.lower() in _UNCOMPRESSED
    return _UNCOMPRESSED_HOUR_BYTES if is_uncompressed else _COMPRESSED_HOUR_BYTES


def _size(call: PlannedCall) -> int:
    return call.recording.size_bytes


_MOST_BREAKS = 20
_LOOK_S = 1.0


def _say_nothing(_shares: Mapping[str, float]) -> None:
    """Show nothing: nobody watches the calls that are being analyzed."""


def have_sound(calls: Iterable[PlannedCall]) -> bool:
    """Return whether there is anything to listen to: an empty file is refused unheard."""
    return any(call.recording.size_bytes for call in calls)


class Workers:
    """A pool of processes that analyze calls; leaving its context by an error ends them at once.

    Without `listens` they start at once, as they need not import what listens.
    """

    def __init__(self, config: RunConfig, pending: int, *, listens: bool = True) -> None:
        self.config = config
        available = cores()
        # Two calls on a core each take less time than one after the other on two: a decoder's
        # small products gain nothing from a second thread.
        night = config.settings.night
        jobs = jobs_at_once(night.jobs, pending, available, memory_limit_gb())
        self._jobs = jobs
        self._board = ProgressFile()
        self._scratch = scratch_folder(config.settings.recordings.scratch)
        sweep(self._scratch, COPY)  # what a run that was killed has left
        self._new_pool = partial(
            ProcessPool,
            max_workers=jobs,
            initializer=settle_in,
            initargs=(
                os.getpid(),
                dict(os.environ),
                threads_each(jobs),
                night.call_memory_gb,
            ),
            context=processes.context(listens=listens),
        )
        self._pool = self._new_pool()
        self._renewing = Lock()
        self._is_left = False
        self._started: WeakSet[Future[list[Outcome]]] = WeakSet()
        self._breaks = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._renewing:
            self._is_left = True
        if kind is None:
            self._pool.close()
        else:
            self._pool.stop()
        self._pool.join()
        sweep(self._scratch, COPY)
        for future in list(self._started):  # nobody waits for what will never be
            future.cancel()
        self._board.close()

    def start(
        self, call: PlannedCall, progress: ProgressCallback = no_progress
    ) -> Future[list[Outcome]]:
        """Begin a call as soon as a process is free; `progress` is called there."""
        return self._start((call,), (progress,))

    def finish(self, call: PlannedCall, future: Future[list[Outcome]]) -> Outcome:
        """Wait for a call that was started; its analysis has landed, whatever became of it.

        Raises `WarmlineError` for what would befall every call: a model that is missing, a landing
        folder that cannot be written.
        """
        try:
            (outcome,) = future.result()
        except BrokenProcessPool:
            self._renew()
            return self.finish(call, self.start(call))
        except TimeoutError:
            reason = f"gave up after {self._limit_s((call,)):g} s (night.call_timeout_s)"
            return self._land_failure(call, "timeout", reason)
        except ProcessExpired as e:
            return self._land_failure(call, "process_died", how_it_died(e.exitcode))
        self._breaks = 0
        return outcome

    def _start(self, batch: Batch, progresses: Sequence[ProgressCallback]) -> Future[list[Outcome]]:
        return self._schedule(_analyze, batch, progresses)

    def _limit_s(self, batch: Batch) -> float:
        settings = self.config.settings
        return time_limit_s(
            batch, settings.night.call_timeout_s, settings.recordings.max_duration_s
        )

    def _schedule(
        self, work: Callable[..., list[Outcome]], batch: Batch, *arguments: object
    ) -> Future[list[Outcome]]:
        while True:
            self._renew()
            try:
                future = self._pool.schedule(
                    work, args=(self.config, batch, *arguments), timeout=self._limit_s(batch)
                )
            except RuntimeError:  # it gave up just now
                if self._is_left:
                    raise
            else:
                self._started.add(future)
                return future

    def _renew(self) -> None:
        """Other processes in the place of a pool that gave up: one died with no call in hand.

        Raises `WarmlineError` when that happens again and again before any call has ended.
        """
        with self._renewing:
            if self._pool.active or self._is_left:
                return
            self._breaks += 1
            if self._breaks > _MOST_BREAKS:
                raise WarmlineError(
                    f"the processes that analyze calls died {self._breaks} times before one was "
                    "done; is there enough memory for them (night.jobs)?"
                )
            self._pool.stop()
            self._pool.join()
            self._pool = self._new_pool()

    def analyze(
        self,
        calls: Sequence[PlannedCall],
        attempt: int = 0,
        on_wait: Callable[[Mapping[str, float]], None] = _say_nothing,
    ) -> Iterator[tuple[PlannedCall, Outcome]]:
        """Yield calls and their outcomes as they end.

        Short calls go to a process together, except when an earlier attempt failed. Every second or
        so `on_wait` is given the shares, 0..1, that are done of the calls in hand.
        """
        dealt = batches(calls, _size, self._jobs) if attempt == 0 else ((call,) for call in calls)
        return self._ending(dealt, on_wait)

    def _ending(
        self, dealt: Iterator[Batch], on_wait: Callable[[Mapping[str, float]], None]
    ) -> Iterator[tuple[PlannedCall, Outcome]]:
        left = deque[Batch]()
        running: dict[Future[list[Outcome]], Batch] = {}
        places: dict[str, int] = {}
        while True:
            # A few in hand for each process: millions in a queue would take memory and time.
            left.extend(islice(dealt, max(0, 2 * self._jobs - len(running) - len(left))))
            while left:
                batch = left.popleft()
                free = (place for place in count() if place not in places.values())
                places |= zip((call.path for call in batch), free, strict=False)
                progresses = [self._board.writer(places[call.path]) for call in batch]
                running[self._start(batch, progresses)] = batch
            if not running:
                return
            done, _ = wait(running, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
            on_wait({path: self._board.share(place) for path, place in places.items()})
            for future in done:
                batch = running.pop(future)
                for call in batch:
                    del places[call.path]
                if len(batch) == 1:
                    yield batch[0], self.finish(batch[0], future)
                elif not _ended_together(future):
                    self._breaks = 0
                    yield from zip(batch, future.result(), strict=True)
                else:
                    for call in batch:
                        if landed := self._landed_since(call):
                            yield call, outcome_of(landed)
                        else:
                            left.append((call,))

    def _land_failure(self, call: PlannedCall, code: str, reason: str) -> Outcome:
        """Note that a call's process ended, unless the call had landed just before."""
        if landed := self._landed_since(call):
            return outcome_of(landed)
        table, chosen = self._table if call.takes_row else None, self.config.settings
        metadata = read_metadata(
            *(call.source, chosen.recordings, table, chosen.redaction), call.metadata_before
        )
        analysis = base_analysis(call.recording, metadata, Status.FAILED, code, reason)
        land(analysis, self._landing_dir, call)
        return outcome_of(analysis)

    def _landed_since(self, call: PlannedCall) -> CallAnalysis | None:
        """Return what landed of a call after the plan was made, except failures.

        An earlier analysis in which a failure was noted is no result of this run.
        """
        landed = landing.read_uncompacted(self._landing_dir, call.recording)
        if landed is None or landed.status is Status.FAILED or landed.failed_runs > 0:
            return None
        is_old = call.previous is not None and landed.analyzed_at == call.previous.analyzed_at
        return None if is_old else landed

    @property
    def _landing_dir(self) -> Path:
        return Path(self.config.landing)

    @cached_property
    def _table(self) -> MetadataTable | None:
        return read_table(Path(self.config.metadata)) if self.config.metadata else None


def _analyze(
    config: RunConfig, batch: Batch, progresses: Sequence[ProgressCallback]
) -> list[Outcome]:
    try:
        return analyze_calls(config, batch, progresses)
    finally:
        give_memory_back()


def _ended_together(future: Future[list[Outcome]]) -> bool:
    """Return whether the process died or hung: no call is known to be at fault, each goes alone."""
    return isinstance(future.exception(), (TimeoutError, ProcessExpired, BrokenProcessPool))


# Analyze calls on the workers of a cluster, each in a process that can be ended by itself.


@dataclass(frozen=True)
class ClusterWorker:
    """Analyzes calls in whatever process it is sent to; `run` names their run.

    Landing folder, recordings and metadata must have the same paths there. Calling it raises
    `WarmlineError` for what would affect every call.
    """

    config: RunConfig
    run: str

    def __call__(self, call: PlannedCall) -> Outcome:
        """Analyze a call; return its outcome as `Workers.finish` does."""
        with _SLOTS.at(self) as workers:
            return workers.finish(call, workers.start(call))

    def leave(self) -> None:
        """Release what this process keeps for the run."""
        _SLOTS.leave(self.run)


def note_lost(config: RunConfig, call: PlannedCall, reason: str) -> Outcome:
    """Record a call that the cluster gave up, but never over an analysis that has landed.

    `reason` is one line for a person. Without an analysis, the next run tries it again.
    """
    status, code = Status.FAILED, "process_died"
    metadata = read_metadata(
        *(call.source, config.settings.recordings, None, config.settings.redaction),
        before=call.metadata_before,
    )
    folder = Path(config.landing)
    landed = landing.read_uncompacted(folder, call.recording)
    if landed is None or landed.status is Status.FAILED:
        land(base_analysis(call.recording, metadata, status, code, reason), folder, call)
    return Outcome(call.path, metadata.call_id, status, code, reason, audio_s=None, wall_s=0.0)


@dataclass
class _WorkerSlot:
    """The process for the calls of one run, and how many calls it is analyzing."""

    workers: Workers
    in_hand: int = 0


@dataclass
class _WorkerSlots:
    """The worker slots of this process, by run; those of runs that never ended end with the next
    run.
    """

    _slots: dict[str, _WorkerSlot] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def at(self, run: ClusterWorker) -> Iterator[Workers]:
        """Hold the workers of a run while a call is being analyzed."""
        with self._lock:
            slot = self._slots.get(run.run)
            if slot is None:
                idle = [name for name, slot in self._slots.items() if not slot.in_hand]
                self._end(idle)
                slot = self._slots[run.run] = _WorkerSlot(Workers(_one_at_a_time(run.config), 1))
            slot.in_hand += 1
        try:
            yield slot.workers
        finally:
            with self._lock:
                slot.in_hand -= 1

    def leave(self, run: str) -> None:
        """End the workers of a run, if there are any."""
        with self._lock:
            self._end([run] if run in self._slots else [])

    def _end(self, runs: list[str]) -> None:
        for run in runs:
            with self._slots.pop(run).workers:
                pass


_SLOTS = _WorkerSlots()


def _one_at_a_time(config: RunConfig) -> RunConfig:
    """Return the input for one process: the cluster decides how many there are.

    Raises `WarmlineError` where a process may start no other.
    """
    if multiprocessing.current_process().daemon:
        raise WarmlineError(
            "this worker of the cluster may not start the process that a call needs: start workers "
            "with DASK_DISTRIBUTED__WORKER__DAEMON=false in their environment, or with --no-nanny"
        )
    settings = with_overrides(config.settings, {"night.jobs": 1})
    return replace(config, cache_keys=replace(config.cache_keys, settings=settings))
