"""Processes that analyze calls, so that a call that hangs or crashes ends nothing but itself.

Every process loads its own models, once. A call that takes too long is ended with its process; a
process that dies (a fault in native code, memory exhausted) is replaced. In both cases the call
lands as failed with the reason, and the others go on.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

from pebble import ProcessExpired, ProcessPool

from warmline import landing
from warmline.analysis import CallAnalysis
from warmline.engines import Engines
from warmline.errors import Status
from warmline.pipeline.analyze import analyze_recording
from warmline.pipeline.plan import PlannedCall
from warmline.pipeline.stages import Addressing
from warmline.pipeline.unanalyzed import PASSING_FAULTS, not_analyzed
from warmline.recordings.metadata import MetadataTable, read_metadata, read_table
from warmline.settings import Settings


@dataclass(frozen=True)
class Order:
    """What is the same for every call of a run. `metadata` is the path of a CSV, if any."""

    addressing: Addressing
    landing: str
    metadata: str | None = None

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return self.addressing.settings


@dataclass(frozen=True)
class Outcome:
    """How one call ended, without a word of what was said in it.

    `audio_s` is the recording's length, None if unknown; `wall_s` the time it took; `reused` the
    names of the stages that were taken over from an earlier analysis.
    """

    path: str
    call_id: str
    status: Status
    code: str | None
    reason: str | None
    audio_s: float | None
    wall_s: float
    reused: tuple[str, ...] = ()

    @property
    def may_pass(self) -> bool:
        """Whether the call failed by a fault that another try may not meet."""
        return self.status is Status.FAILED and self.code in PASSING_FAULTS


class Workers:
    """A pool of analyzing processes; use it as a context, leaving it early ends them at once."""

    def __init__(self, order: Order, pending: int) -> None:
        self.order = order
        cores = _cores()
        # Two calls on a core each take less time than one after the other on two: a decoder's
        # small products gain nothing from a second thread.
        jobs = order.settings.night.jobs or max(1, min(cores, pending))
        self._timeout_s = order.settings.night.call_timeout_s
        self._pool = ProcessPool(
            max_workers=jobs,
            initializer=_share_cores,
            initargs=(max(1, cores // jobs),),
            context=multiprocessing.get_context("spawn"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._pool.close()
        else:
            self._pool.stop()
        self._pool.join()

    def start(self, call: PlannedCall) -> Future[Outcome]:
        """Begin a call as soon as a process is free."""
        return self._pool.schedule(_analyze, args=(self.order, call), timeout=self._timeout_s)

    def finish(self, call: PlannedCall, future: Future[Outcome]) -> Outcome:
        """Wait for a call that was started; its analysis has landed, whatever became of it.

        Raises `WarmlineError` for what would befall every call: a model that is missing, a landing
        folder that cannot be written.
        """
        try:
            return future.result()
        except TimeoutError:
            reason = f"gave up after {self._timeout_s:g} s (night.call_timeout_s)"
            return self._land_failure(call, "timeout", reason, self._timeout_s)
        except ProcessExpired as e:
            reason = f"its process died (exit code {e.exitcode}): crashed, or out of memory"
            return self._land_failure(call, "process_died", reason, 0.0)

    def analyze_all(
        self, calls: Sequence[PlannedCall], on_end: Callable[[Outcome], None]
    ) -> list[Outcome]:
        """Analyze calls, telling of each as it ends; returns all in order of ending."""
        return list(self._ending(calls, on_end))

    def _ending(
        self, calls: Sequence[PlannedCall], on_end: Callable[[Outcome], None]
    ) -> Iterator[Outcome]:
        running: dict[Future[Outcome], PlannedCall] = {self.start(call): call for call in calls}
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                outcome = self.finish(running.pop(future), future)
                on_end(outcome)
                yield outcome

    def _land_failure(self, call: PlannedCall, code: str, reason: str, wall_s: float) -> Outcome:
        table = read_table(Path(self.order.metadata)) if self.order.metadata else None
        metadata = read_metadata(Path(call.path), self.order.settings.recordings, table)
        analysis = not_analyzed(call.recording, metadata, Status.FAILED, code, reason)
        _land(analysis, Path(self.order.landing), call)
        return _outcome(analysis, wall_s, None)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not everywhere, but where it is, containers count
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Desk:
    """What one process keeps between calls: the models, the metadata table."""

    def __init__(self, order: Order) -> None:
        self.addressing = order.addressing
        self.landing = Path(order.landing)
        self._metadata = order.metadata

    @cached_property
    def engines(self) -> Engines:
        return Engines.from_settings(self.addressing.settings)

    @cached_property
    def table(self) -> MetadataTable | None:
        return read_table(Path(self._metadata)) if self._metadata else None


@lru_cache(maxsize=1)
def _desk(order: Order) -> _Desk:
    return _Desk(order)


def _analyze(order: Order, call: PlannedCall) -> Outcome:
    desk = _desk(order)
    started = perf_counter()
    previous = _previous(desk.landing, call)
    analysis = analyze_recording(
        Path(call.path), desk.addressing, desk.engines, desk.table, previous
    )
    _land(analysis, desk.landing, call)
    return _outcome(analysis, perf_counter() - started, previous)


def _land(analysis: CallAnalysis, landing_dir: Path, call: PlannedCall) -> None:
    """Keep what came of a call, but never a failure in place of an analysis that is there."""
    earlier = call.previous
    if analysis.status is Status.FAILED and earlier and earlier.status is Status.ANALYZED:
        return
    landing.write(analysis, landing_dir)


def _previous(landing_dir: Path, call: PlannedCall) -> CallAnalysis | None:
    """The earlier analysis; None as well when it was removed since the plan was made."""
    if call.previous is None:
        return None
    try:
        found = landing.read_landed(landing_dir, call.previous)
    except landing.LandingError:
        return None
    kept = tuple(key for key in found.stage_keys if key.stage not in call.redo)
    return replace(found, stage_keys=kept)


def _outcome(analysis: CallAnalysis, wall_s: float, previous: CallAnalysis | None) -> Outcome:
    before = previous.stage_keys if previous else ()
    return Outcome(
        path=analysis.recording.path,
        call_id=analysis.metadata.call_id,
        status=analysis.status,
        code=analysis.reason_code,
        reason=analysis.reason,
        audio_s=analysis.duration_s,
        wall_s=wall_s,
        reused=tuple(key.stage for key in analysis.stage_keys if key in before),
    )


def _share_cores(threads: int) -> None:
    """Before torch is loaded: processes side by side divide the cores among them."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    # Whisper's alignment is compiled by numba, whose own threads would wait busily for each other.
    os.environ.setdefault("NUMBA_NUM_THREADS", str(threads))
