"""Where the calls of a night run: in processes of this machine, or on the workers of a cluster."""

from collections.abc import Iterator, Sequence
from itertools import islice
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

from prefect import get_client
from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

import night_calls
from night_calls import Hands, PassingFaultError
from warmline.errors import SettingsError
from warmline.pipeline import Elsewhere, Order, Outcome, PlannedCall, Workers, note_lost

# Threads that wait for calls; how many calls run at a time is `night.jobs`.
_WAITING = 32
# Calls given to a runner at a time: a year of them at once would take memory and time.
_IN_HAND_HERE = 2 * _WAITING
_IN_HAND_ELSEWHERE = 2000
# A worker that is lost takes its calls along; each is given to others so often.
_LOSSES_OF_A_CALL = 10


def analyze_all(calls: Sequence[PlannedCall], order: Order) -> list[Outcome]:
    """Each call as a task of its own, where `night.runner` says; all in order of ending.

    Raises `WarmlineError` for what would befall every call, at the first one that meets it, and
    `SettingsError` when a package is missing.
    """
    if order.settings.night.runner == "dask":
        return _on_dask(calls, order)
    # The workers are left first: threads that wait for what will never be are let go by them.
    with (
        ThreadPoolTaskRunner(max_workers=_WAITING) as runner,
        Workers(order, len(calls)) as workers,
    ):

        def hands(call: PlannedCall) -> Outcome:
            return workers.finish(call, workers.start(call))

        futures = _each(runner, hands, calls, order, _IN_HAND_HERE)
        return [_outcome(future) for _, future in futures]


def _on_dask(calls: Sequence[PlannedCall], order: Order) -> list[Outcome]:
    try:
        import dask
        from distributed import KilledWorker
        from prefect_dask import DaskTaskRunner
    except ImportError as e:
        raise SettingsError(
            "night.runner = \"dask\" needs Dask: pip install 'warmline[night,dask]'"
        ) from e
    night = order.settings.night
    own = {"n_workers": night.jobs or None, "threads_per_worker": 1, "dashboard_address": None}
    elsewhere = Elsewhere(order, uuid4().hex)
    ended = []
    # A worker starts a process for its calls, which a daemon may not.
    allowed = {
        "distributed.worker.daemon": False,
        "distributed.scheduler.allowed-failures": _LOSSES_OF_A_CALL,
    }
    # Workers use the server of this run; without its address each would start one of its own.
    server = str(get_client(sync_client=True).api_url)
    with (
        temporary_settings({PREFECT_API_URL: server}),
        dask.config.set(allowed),
        DaskTaskRunner(
            address=night.cluster or None, cluster_kwargs=None if night.cluster else own
        ) as runner,
    ):
        # The task travels to workers that have no more than the package, also to later ones.
        runner.client.upload_file(night_calls.__file__)
        try:
            for call, future in _each(runner, elsewhere, calls, order, _IN_HAND_ELSEWHERE):
                try:
                    ended.append(_outcome(future))
                except KilledWorker as e:
                    reason = f"{e.allowed_failures + 1} workers of the cluster ended in it"
                    ended.append(note_lost(order, call, reason))
        finally:
            runner.client.run(elsewhere.leave)
    return ended


def _each(
    runner: "TaskRunner[Any]",
    hands: Hands,
    calls: Sequence[PlannedCall],
    order: Order,
    in_hand: int,
) -> Iterator[tuple[PlannedCall, PrefectFuture[Outcome]]]:
    """Calls and their futures as they end, a bounded number in hand."""
    task = night_calls.with_retries(order.settings.night)
    left = iter(calls)
    running: dict[PrefectFuture[Outcome], PlannedCall] = {}
    ended: SimpleQueue[PrefectFuture[Outcome]] = SimpleQueue()
    while True:
        for call in islice(left, in_hand - len(running)):
            future = runner.submit(task, {"hands": hands, "call": call})
            running[future] = call
            future.add_done_callback(ended.put)
        if not running:
            return
        future = ended.get()
        yield running.pop(future), future


def _outcome(future: PrefectFuture[Outcome]) -> Outcome:
    ending: Any = future.result(raise_on_failure=False)
    if isinstance(ending, PassingFaultError):
        return ending.outcome
    if isinstance(ending, BaseException):
        raise ending
    return ending
