"""Analyze calls on the workers of a cluster, each in a process that can be ended by itself.

A worker of a cluster learns about a run with each call that it gets. With the first one it starts a
process for calls, which keeps the models as long as the run lasts; a call that hangs or crashes
ends with that process, and the worker goes on.
"""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

from warmline import landing
from warmline.errors import Status, WarmlineError
from warmline.pipeline.calls import Outcome, RunConfig, land
from warmline.pipeline.failures import base_analysis
from warmline.pipeline.plan import PlannedCall
from warmline.pipeline.workers import Workers
from warmline.recordings.metadata import read_metadata
from warmline.settings import with_overrides


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
        call.source, config.settings.recordings, None, config.settings.redaction
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

    _posts: dict[str, _WorkerSlot] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def at(self, run: ClusterWorker) -> Iterator[Workers]:
        """Hold the workers of a run while a call is being analyzed."""
        with self._lock:
            post = self._posts.get(run.run)
            if post is None:
                idle = [name for name, post in self._posts.items() if not post.in_hand]
                self._end(idle)
                post = self._posts[run.run] = _WorkerSlot(Workers(_one_at_a_time(run.config), 1))
            post.in_hand += 1
        try:
            yield post.workers
        finally:
            with self._lock:
                post.in_hand -= 1

    def leave(self, run: str) -> None:
        """End the workers of a run, if there are any."""
        with self._lock:
            self._end([run] if run in self._posts else [])

    def _end(self, runs: list[str]) -> None:
        for run in runs:
            with self._posts.pop(run).workers:
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
