"""Processes that analyze calls, so that a call that hangs or crashes ends nothing but itself.

Every process loads its own models, once. A call that takes too long is ended with its process; a
process that dies (a fault in native code, memory exhausted) is replaced. In both cases the call
lands as failed with the reason, and the others go on.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property, partial
from itertools import count, islice
from pathlib import Path
from threading import Lock
from time import sleep
from types import TracebackType
from typing import Self
from weakref import WeakSet

from pebble import ProcessExpired, ProcessPool

from warmline import forking, landing
from warmline.analysis import CallAnalysis
from warmline.errors import Status, WarmlineError
from warmline.pipeline.board import Board
from warmline.pipeline.calls import Order, Outcome, analyze_calls, land, outcome_of
from warmline.pipeline.planned import PlannedCall
from warmline.pipeline.processes import (
    cores,
    give_memory_back,
    how_it_died,
    settle_in,
    threads_each,
)
from warmline.pipeline.trays import Tray, time_limit_s, trays
from warmline.pipeline.unanalyzed import not_analyzed
from warmline.recordings.metadata import MetadataTable, read_metadata, read_table
from warmline.recordings.scratch import scratch_folder, sweep
from warmline.telling import Tell, nobody

_MOST_BREAKS = 20
_LOOK_S = 1.0


def _say_nothing(_shares: Mapping[str, float]) -> None:
    """Nobody looks at the calls in hand."""


class Workers:
    """A pool of analyzing processes; use it as a context, leaving it early ends them at once."""

    def __init__(self, order: Order, pending: int) -> None:
        self.order = order
        # Two calls on a core each take less time than one after the other on two: a decoder's
        # small products gain nothing from a second thread.
        jobs = order.settings.night.jobs or max(1, min(cores(), pending))
        night = order.settings.night
        self._delays_s = [night.retry_delay_s * 2**i for i in range(night.retries)]
        self._jobs = jobs
        self._board = Board()
        self._scratch = scratch_folder(order.settings.recordings.scratch)
        sweep(self._scratch)  # what a run that was killed has left
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
            context=forking.context(),
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
        sweep(self._scratch)
        for future in list(self._started):  # nobody waits for what will never be
            future.cancel()
        self._board.close()

    def start(self, call: PlannedCall, tell: Tell = nobody) -> Future[list[Outcome]]:
        """Begin a call as soon as a process is free; `tell` is called there."""
        return self._start((call,), (tell,))

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

    def _start(self, tray: Tray, tells: Sequence[Tell]) -> Future[list[Outcome]]:
        return self._schedule(_analyze, tray, tells)

    def _limit_s(self, tray: Tray) -> float:
        settings = self.order.settings
        return time_limit_s(tray, settings.night.call_timeout_s, settings.recordings.max_duration_s)

    def _schedule(
        self, work: Callable[..., list[Outcome]], tray: Tray, *arguments: object
    ) -> Future[list[Outcome]]:
        while True:
            self._renew()
            try:
                future = self._pool.schedule(
                    work, args=(self.order, tray, *arguments), timeout=self._limit_s(tray)
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
                    f"processes for calls died {self._breaks} times before any call had ended; "
                    "is there memory for them (night.jobs)?"
                )
            self._pool.stop()
            self._pool.join()
            self._pool = self._new_pool()

    def analyze_all(
        self,
        calls: Sequence[PlannedCall],
        on_end: Callable[[Outcome], None],
        on_wait: Callable[[Mapping[str, float]], None] = _say_nothing,
    ) -> list[Outcome]:
        """Analyze calls, telling of each as it ends; returns all in order of ending.

        Every second or so `on_wait` is given the shares, 0..1, that are done of the calls in hand.
        Those that failed by a passing fault are tried again when the others have ended, after
        `night.retry_delay_s`, then twice that, and so on for `night.retries` tries.
        """
        ended: list[Outcome] = []
        delays_s = iter(self._delays_s)
        dealt = trays(calls, self._jobs)
        while calls:
            delay_s = next(delays_s, None)
            again = []
            for call, outcome in self._ending(dealt, on_wait):
                if outcome.may_pass and delay_s is not None:
                    again.append(call)
                    continue
                on_end(outcome)
                ended.append(outcome)
            calls = again
            dealt = ((call,) for call in calls)
            if calls and delay_s is not None:
                sleep(delay_s)
        return ended

    def _ending(
        self, dealt: Iterator[Tray], on_wait: Callable[[Mapping[str, float]], None]
    ) -> Iterator[tuple[PlannedCall, Outcome]]:
        left = deque[Tray]()
        running: dict[Future[list[Outcome]], Tray] = {}
        places: dict[str, int] = {}
        while True:
            # A few in hand for each process: millions in a queue would take memory and time.
            left.extend(islice(dealt, max(0, 2 * self._jobs - len(running) - len(left))))
            while left:
                tray = left.popleft()
                free = (place for place in count() if place not in places.values())
                places |= zip((call.path for call in tray), free, strict=False)
                tells = [self._board.teller(places[call.path]) for call in tray]
                running[self._start(tray, tells)] = tray
            if not running:
                return
            done, _ = wait(running, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
            on_wait({path: self._board.share(place) for path, place in places.items()})
            for future in done:
                tray = running.pop(future)
                for call in tray:
                    del places[call.path]
                if len(tray) == 1:
                    yield tray[0], self.finish(tray[0], future)
                elif not _ended_together(future):
                    self._breaks = 0
                    yield from zip(tray, future.result(), strict=True)
                else:
                    for call in tray:
                        if landed := self._landed_since(call):
                            yield call, outcome_of(landed)
                        else:
                            left.append((call,))

    def _land_failure(self, call: PlannedCall, code: str, reason: str) -> Outcome:
        """Note that a call's process ended, unless the call had landed just before."""
        if landed := self._landed_since(call):
            return outcome_of(landed)
        chosen = self.order.settings
        table = self._table if call.takes_row else None
        metadata = read_metadata(call.source, chosen.recordings, table, chosen.redaction)
        analysis = not_analyzed(call.recording, metadata, Status.FAILED, code, reason)
        land(analysis, self._landing_dir, call)
        return outcome_of(analysis)

    def _landed_since(self, call: PlannedCall) -> CallAnalysis | None:
        """What landed of a call after the plan was made, but for failures."""
        landed = landing.read_loose(self._landing_dir, call.recording)
        is_new = landed and not (call.previous and landed.analyzed_at == call.previous.analyzed_at)
        return landed if landed and is_new and landed.status is not Status.FAILED else None

    @property
    def _landing_dir(self) -> Path:
        return Path(self.order.landing)

    @cached_property
    def _table(self) -> MetadataTable | None:
        return read_table(Path(self.order.metadata)) if self.order.metadata else None


def _analyze(order: Order, tray: Tray, tells: Sequence[Tell]) -> list[Outcome]:
    try:
        return analyze_calls(order, tray, tells)
    finally:
        give_memory_back()


def _ended_together(future: Future[list[Outcome]]) -> bool:
    """Whether a tray's process died or hung: nobody can say at which call, so each goes alone."""
    return isinstance(future.exception(), (TimeoutError, ProcessExpired, BrokenProcessPool))
