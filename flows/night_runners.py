"""Where the calls of a night run: in processes of this machine, or on the workers of a cluster."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

import night_calls
from night_calls import Analyzer
from night_clusters import Cluster, open_cluster
from warmline.pipeline.calls import Outcome, RunConfig
from warmline.pipeline.plan import PlannedCall
from warmline.pipeline.workers import ClusterWorker, Workers, have_sound, note_lost
from warmline.run import Runner

_LOGGERS = ("prefect.flow_runs", "prefect.task_runs")
# Threads that wait for calls; how many calls run at a time is `night.jobs`.
_WAITING = 32
# Calls given to a runner at a time: a year of them at once would take memory and time.
_IN_HAND_HERE = 2 * _WAITING
_IN_HAND_ELSEWHERE = 2000


@contextmanager
def open_runner(config: RunConfig, calls: Sequence[PlannedCall]) -> Iterator[Runner]:
    """Open what analyzes each call as a task of its own, where `night.runner` says.

    It raises `WarmlineError` for what would befall every call, at the first one that meets it, and
    `SettingsError` when a package is missing.
    """
    if config.settings.night.runner != "here":
        worker = ClusterWorker(config, uuid4().hex)
        with open_cluster(worker) as cluster:
            yield _on_cluster(cluster, worker)
        return
    # The workers are left first: threads that wait for what will never be are let go by them.
    with (
        ThreadPoolTaskRunner(max_workers=_WAITING) as runner,
        Workers(config, len(calls), listens=have_sound(calls)) as workers,
    ):

        def analyze(call: PlannedCall) -> Outcome:
            return workers.finish(call, workers.start(call))

        def each(
            calls: Sequence[PlannedCall], attempt: int
        ) -> Iterator[tuple[PlannedCall, Outcome]]:
            for call, future in _each(runner, analyze, calls, attempt, _IN_HAND_HERE):
                yield call, _outcome(future)

        with quietly_interrupted():  # before the workers are left, and the calls in hand cancelled
            yield each


@contextmanager
def quietly_interrupted() -> Iterator[None]:
    """Have Prefect say nothing more of a night that somebody stopped: the command says it."""
    try:
        yield
    except Exception:
        raise
    except BaseException:  # an interrupt, or a request to end
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        raise


def _on_cluster(cluster: Cluster, worker: ClusterWorker) -> Runner:
    def each(calls: Sequence[PlannedCall], attempt: int) -> Iterator[tuple[PlannedCall, Outcome]]:
        for call, future in _each(cluster.runner, worker, calls, attempt, _IN_HAND_ELSEWHERE):
            try:
                outcome = _outcome(future)
            except cluster.lost as e:
                outcome = note_lost(worker.config, call, cluster.reason(e))
            yield call, outcome

    return each


def _each(
    runner: "TaskRunner[Any]",
    analyze: Analyzer,
    calls: Sequence[PlannedCall],
    attempt: int,
    in_hand: int,
) -> Iterator[tuple[PlannedCall, PrefectFuture[Outcome]]]:
    """Yield calls and their futures as they end, a bounded number in hand."""
    left = iter(calls)
    running: dict[PrefectFuture[Outcome], PlannedCall] = {}
    ended: SimpleQueue[PrefectFuture[Outcome]] = SimpleQueue()
    while True:
        for call in islice(left, in_hand - len(running)):
            parameters = {"analyze": analyze, "call": call, "attempt": attempt}
            future = runner.submit(night_calls.analyze_call, parameters)
            running[future] = call
            future.add_done_callback(ended.put)
        if not running:
            return
        future = ended.get()
        yield running.pop(future), future


def _outcome(future: PrefectFuture[Outcome]) -> Outcome:
    ending: Any = future.result(raise_on_failure=False)
    # Of the module as it is now: Dask loads it again when it sends it to workers.
    if isinstance(ending, night_calls.PassingFaultError):
        return ending.outcome
    if isinstance(ending, BaseException):
        raise ending
    return ending
