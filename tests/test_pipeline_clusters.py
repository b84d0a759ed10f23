"""Calls on a worker of a cluster: a process of their own, kept for a run and then let go."""

import multiprocessing
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from support import factories
from support.workers import cache_keys, landed, planned
from warmline import landing
from warmline.errors import Status, WarmlineError
from warmline.pipeline.calls import RunConfig
from warmline.pipeline.workers import ClusterWorker, note_lost

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def empty(tmp_path) -> Path:
    path = tmp_path / "empty.wav"
    path.touch()
    return path


def order_for(folder: Path) -> RunConfig:
    return RunConfig(cache_keys(folder, night__jobs=3), str(folder / "landing"))


def test_a_run_keeps_one_process_which_ends_with_it(tmp_path, empty):
    before = set(multiprocessing.active_children())
    # It comes by pickle, as it would from another machine.
    first = pickle.loads(pickle.dumps(ClusterWorker(order_for(tmp_path), "first")))
    assert first(planned(empty)).code == "empty_file"
    kept = set(multiprocessing.active_children()) - before
    assert len(kept) == 1  # not night.jobs of them
    assert first(planned(empty)).status is Status.REFUSED
    assert set(multiprocessing.active_children()) - before == kept

    second = ClusterWorker(order_for(tmp_path), "second")  # the first left no word
    assert second(planned(empty)).code == "empty_file"
    now = set(multiprocessing.active_children()) - before
    assert len(now) == 1 and not now & kept
    second.leave()
    second.leave()
    assert set(multiprocessing.active_children()) == before
    assert landed(tmp_path / "landing", empty).status is Status.REFUSED


def test_a_worker_that_may_start_no_process_says_what_to_type(tmp_path, empty, monkeypatch):
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    with pytest.raises(WarmlineError, match="DASK_DISTRIBUTED__WORKER__DAEMON=false"):
        ClusterWorker(order_for(tmp_path), "run")(planned(empty))


def test_a_call_that_the_cluster_lost_is_noted_but_never_in_place_of_an_analysis(tmp_path, empty):
    config = order_for(tmp_path)
    outcome = note_lost(config, planned(empty), "11 workers of the cluster ended in it")
    assert (outcome.status, outcome.code, outcome.may_pass) == (
        Status.FAILED,
        "process_died",
        True,
    )
    failed = landed(tmp_path / "landing", empty)
    assert (failed.status, failed.failed_runs) == (Status.FAILED, 1)

    landing.write(factories.call("empty", path=str(empty)), tmp_path / "landing")
    call = replace(planned(empty), previous=landed(tmp_path / "landing", empty))
    note_lost(config, call, "11 workers of the cluster ended in it")
    assert landed(tmp_path / "landing", empty).status is Status.ANALYZED
