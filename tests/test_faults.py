"""Killed at any moment, the night loses no call and counts none twice.

The moments are random, with a seed. A few kills run always, all with `-m "faults and slow"`.
"""

import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from itertools import cycle
from multiprocessing import active_children

import pytest

from support import factories
from support.quick_nights import (
    QuickWorkers,
    add_recordings,
    group_of,
    land_here,
    night,
    outcomes_of,
    plan_of,
    quick_order,
    require_complete,
    require_whole,
    start_night,
)
from warmline import landing
from warmline.errors import Status
from warmline.landing import Selection

pytestmark = pytest.mark.faults

KILLS_IN_A_TEST = 5
SEEDS = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(11)]


@pytest.fixture(scope="module")
def night_s(tmp_path_factory) -> float:
    """How long a night of a few calls takes on this machine, starting included."""
    folder = tmp_path_factory.mktemp("measured")
    add_recordings(folder, "a", "b", "empty")
    started = time.monotonic()
    assert start_night(folder).wait(120) == 0
    return time.monotonic() - started


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_night_may_be_killed_at_any_moment(tmp_path, night_s, seed):
    """The flow's process alone, or with its workers; the next one goes on from what is there."""
    chance = random.Random(seed)
    add_recordings(tmp_path, "a", "b", "c", "empty")
    shutil.copy(tmp_path / "calls" / "a.wav", tmp_path / "calls" / "copy.wav")
    for kill in range(KILLS_IN_A_TEST if seed else 2):
        add_recordings(tmp_path, *(f"n{kill}-{i}" for i in range(4)))
        process = start_night(tmp_path)
        with group_of(process) as group:
            time.sleep(chance.uniform(0.2, 1.1) * night_s)
            if chance.random() < 0.5:
                process.kill()
                process.wait()
                wait_for_orphans(group)
            else:
                os.killpg(group, signal.SIGKILL) if process.poll() is None else None
        require_whole(tmp_path)
    night(tmp_path)
    require_complete(tmp_path)


def wait_for_orphans(group: int) -> None:
    """Workers whose night was killed end by themselves, having landed what they had in hand."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("workers outlive the night that started them")


def test_a_file_may_be_replaced_while_it_is_read(tmp_path):
    """As when a call lands again while somebody looks what there is, or what to forget."""
    for name in ("a", "b", "c"):
        landing.write(factories.call(name), tmp_path)
    done = threading.Event()

    def land_again() -> None:
        for size in cycle(range(1, 1000, 37)):
            if done.is_set():
                return
            landing.write(factories.call("b", says=[("B", 0.0, 2.0, "x" * size)]), tmp_path)

    writer = threading.Thread(target=land_again)
    writer.start()
    try:
        for _ in range(6):
            assert len(landing.known(tmp_path)) == 3
            assert len(landing.matching(tmp_path, Selection(calls=frozenset("ab")))) == 2
    finally:
        done.set()
        writer.join()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_workers_may_be_killed_at_any_moment(tmp_path, kills):
    """Their calls are tried again, every call ends once, and the pool never stands still."""
    chance = random.Random(kills)
    names = [f"c{i}" for i in range(20 + 4 * kills)]
    add_recordings(tmp_path, *names)
    config = quick_order(tmp_path, night__jobs=2, night__retries=12)
    done = threading.Event()
    killed = []

    def kill_some() -> None:
        """One after each call or more that has landed: a busy machine must get on as well."""
        before = 0
        while len(killed) < kills and not done.wait(chance.uniform(0.05, 0.8)):
            landed, processes = len(landing.known(tmp_path / "w.landing")), active_children()
            if landed > before and processes:
                before, victim = landed, chance.choice(processes)
                victim.kill()
                killed.append(victim.pid)

    killer = threading.Thread(target=kill_some)
    plan = plan_of(tmp_path)
    try:
        with QuickWorkers(config, len(plan.pending)) as workers:
            killer.start()
            ended = outcomes_of(workers, plan.pending)
    finally:
        done.set()
        killer.join()
    assert killed
    assert Counter(outcome.call_id for outcome in ended) == Counter(names)
    assert {outcome.status for outcome in ended} == {Status.ANALYZED}
    assert {call.why for call in plan_of(tmp_path).pending} == set()
    night(tmp_path)
    require_complete(tmp_path)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [3, pytest.param(25, marks=pytest.mark.slow)])
def test_the_loader_may_be_killed_at_any_moment(tmp_path, kills):
    """Landing and packing go on; the warehouse is yesterday's or today's, never a half of both."""
    chance = random.Random(kills)
    add_recordings(tmp_path, "a")
    night(tmp_path)
    for kill in range(kills):
        add_recordings(tmp_path, f"n{kill}")
        land_here(tmp_path)
        process = start_night(tmp_path)  # nothing is pending: it loads and packs
        with group_of(process):
            began = tmp_path / "w.duckdb.lock"
            before = began.stat().st_mtime_ns
            while process.poll() is None and began.stat().st_mtime_ns == before:
                time.sleep(0.005)
            time.sleep(chance.uniform(0.0, 0.6))
        require_whole(tmp_path)
    night(tmp_path)
    require_complete(tmp_path)
