"""Where the calls of a night run: in processes of this machine, or on the workers of a cluster."""

from collections.abc import Iterator, Sequence
from itertools import islice
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

import night_calls
from night_calls import Analyzer
from night_clusters import open_cluster
from warmline.pipeline import ClusterWorker, Outcome, PlannedCall, RunConfig, Workers, note_lost

# Threads that wait for calls; how many calls run at a time is `night.jobs`.
_WAITING = 32
# Calls given to a runner at a time: a year of them at once would take memory and time.
_IN_HAND_HERE = 2 * _WAITING
_IN_HAND_ELSEWHERE = 2000


def analyze_all(calls: Sequence[PlannedCall], config: RunConfig) -> list[Outcome]:
    """Each call as a task of its own, where `night.runner` says; all in order of ending.

    Raises `WarmlineError` for what would befall every call, at the first one that meets it, and
    `SettingsError` when a package is missing.
    """
    if config.settings.night.runner != "here":
        return _on_cluster(calls, config)
    # The workers are left first: threads that wait for what will never be are let go by them.
    with (
        ThreadPoolTaskRunner(max_workers=_WAITING) as runner,
        Workers(config, len(calls)) as workers,
    ):

        def analyze(call: PlannedCall) -> Outcome:
            return workers.finish(call, workers.start(call))

        futures = _each(runner, analyze, calls, config, _IN_HAND_HERE)
        return [_outcome(future) for _, future in futures]


def _on_cluster(calls: Sequence[PlannedCall], config: RunConfig) -> list[Outcome]:
    elsewhere = ClusterWorker(config, uuid4().hex)
    ended = []
    with open_cluster(elsewhere) as cluster:
        for call, future in _each(cluster.runner, elsewhere, calls, config, _IN_HAND_ELSEWHERE):
            try:
                ended.append(_outcome(future))
            except cluster.lost as e:
                ended.append(note_lost(config, call, cluster.reason(e)))
    return ended


def _each(
    runner: "TaskRunner[Any]",
    analyze: Analyzer,
    calls: Sequence[PlannedCall],
    config: RunConfig,
    in_hand: int,
) -> Iterator[tuple[PlannedCall, PrefectFuture[Outcome]]]:
    """Calls and their futures as they end, a bounded number in hand."""
    task = night_calls.with_retries(config.settings.night)
    left = iter(calls)
    running: dict[PrefectFuture[Outcome], PlannedCall] = {}
    ended: SimpleQueue[PrefectFuture[Outcome]] = SimpleQueue()
    while True:
        for call in islice(left, in_hand - len(running)):
            future = runner.submit(task, {"hands": analyze, "call": call})
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
