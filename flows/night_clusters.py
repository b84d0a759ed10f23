"""The clusters that a night's calls can go to: Dask's and Ray's, each by Prefect's own runner."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import get_client
from prefect.context import FlowRunContext
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import TaskRunner

import night_calls
from warmline.errors import SettingsError
from warmline.files import temporary_folder
from warmline.pipeline.workers import ClusterWorker

# Before Ray is imported: it reports to nobody.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# A worker that is lost takes its calls along; each is given to others so often.
_LOSSES_OF_A_CALL = 10
# What calls end with is small; Ray would set aside a third of the memory for it.
_RAY_STORE_BYTES = 100_000_000
# Ray's logs of workers, where names of calls would outlive the night, and its sockets, whose names
# may not be long.
_RAYS_PLACE = Path("/tmp")


@dataclass(frozen=True)
class Cluster:
    """A cluster that is open: `lost` are raised for a call that ended worker after worker.

    `reason` says that of one of them, in a line for a person.
    """

    runner: "TaskRunner[Any]"
    lost: tuple[type[Exception], ...]
    reason: Callable[[Any], str]


def open_cluster(elsewhere: ClusterWorker) -> AbstractContextManager[Cluster]:
    """The cluster that `night.runner` names; within it, calls can be given to it.

    Raises `SettingsError` when a package is missing, or the cluster does not answer.
    """
    return _BY_NAME[elsewhere.config.settings.night.runner](elsewhere)


@contextmanager
def _dask(elsewhere: ClusterWorker) -> Iterator[Cluster]:
    try:
        import dask
        from distributed import KilledWorker
        from prefect_dask import DaskTaskRunner
    except ImportError as e:
        raise _missing("dask", "Dask") from e
    night = elsewhere.config.settings.night
    own = {"n_workers": night.jobs or None, "threads_per_worker": 1, "dashboard_address": None}
    # A worker starts a process for its calls, which a daemon may not.
    allowed = {
        "distributed.worker.daemon": False,
        "distributed.scheduler.allowed-failures": _LOSSES_OF_A_CALL,
    }
    runner = DaskTaskRunner(
        address=night.cluster or None, cluster_kwargs=None if night.cluster else own
    )
    with ExitStack() as opened:
        opened.enter_context(_as_workers_know_it())
        opened.enter_context(dask.config.set(allowed))
        with _reached(night.cluster):
            opened.enter_context(runner)
            # The task travels to workers that have no more than the package, also to later ones.
            runner.client.upload_file(night_calls.__file__)
        try:
            yield Cluster(runner, (KilledWorker,), lambda e: _ended_in_it(e.allowed_failures))
        finally:
            runner.client.run(elsewhere.leave)


@contextmanager
def _ray(elsewhere: ClusterWorker) -> Iterator[Cluster]:
    """Workers end with the night, and what they keep for it ends with them."""
    try:
        from prefect_ray import RayTaskRunner
        from prefect_ray.context import remote_options
        from ray.exceptions import NodeDiedError, OutOfMemoryError, WorkerCrashedError
    except ImportError as e:
        raise _missing("ray", "Ray") from e
    night = elsewhere.config.settings.night
    with ExitStack() as opened:
        folder = opened.enter_context(temporary_folder(_RAYS_PLACE))
        # The task travels to workers that have no more than the package, also to later ones.
        given: dict[str, Any] = {"runtime_env": {"py_modules": [night_calls.__file__]}}
        own = {
            "address": "local",
            "num_cpus": night.jobs or None,
            "include_dashboard": False,
            "object_store_memory": _RAY_STORE_BYTES,
            "_temp_dir": str(folder),
            "_system_config": {"task_oom_retries": _LOSSES_OF_A_CALL},
        }
        runner = RayTaskRunner(
            address=night.cluster or None, init_kwargs=given | ({} if night.cluster else own)
        )
        opened.enter_context(_as_workers_know_it())
        opened.enter_context(remote_options(max_retries=_LOSSES_OF_A_CALL))
        with _reached(night.cluster):
            opened.enter_context(runner)
        lost = (WorkerCrashedError, NodeDiedError, OutOfMemoryError)
        yield Cluster(runner, lost, lambda _: _ended_in_it(_LOSSES_OF_A_CALL))


_BY_NAME: dict[str, Callable[[ClusterWorker], AbstractContextManager[Cluster]]] = {
    "dask": _dask,
    "ray": _ray,
}


@contextmanager
def _as_workers_know_it() -> Iterator[None]:
    """Change what Prefect sends along with every call, so that a worker can use it.

    Workers use the server of this run; without its address each would start one of its own. Of the
    flow they have the name only: its code is in files that they do not have.
    """
    run = FlowRunContext.get()
    if run is None:
        raise RuntimeError("calls are given to a cluster in a flow")
    server = str(get_client(sync_client=True).api_url)
    with (
        temporary_settings({PREFECT_API_URL: server}),
        run.model_copy(update={"flow": night_calls.known_by_name}),
    ):
        yield


@contextmanager
def _reached(address: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        if not address:  # one of its own
            raise
        raise SettingsError(
            f'night.cluster = "{address}": the cluster does not answer ({e}); is it running, and '
            "reached from here with what it asks for?"
        ) from e


def _ended_in_it(retries: int) -> str:
    return f"{retries + 1} workers of the cluster ended in it"


def _missing(extra: str, name: str) -> SettingsError:
    return SettingsError(
        f"night.runner = \"{extra}\" needs {name}: pip install 'warmline[night,{extra}]'"
    )
