"""Recordings that are still being written: known by a change a moment ago, or between two looks."""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

Name = TypeVar("Name")
#: Size in bytes and time of change in nanoseconds since 1970.
Look = tuple[int, int]

# Nobody is kept waiting for longer; what needs more is left for the next run.
PATIENCE_S = 10.0


def unsettled(
    looks: Mapping[Name, Look], look_again: Callable[[Name], Look | None], settle_s: float
) -> frozenset[Name]:
    """Of files as they were seen just now, those that may still be written to.

    What has not changed for `settle_s` is not. What changed since is waited for, all at once, and
    looked at again; where that would take longer than 10 s nobody waits. A change in the future, by
    a clock that is ahead, is as near as one in the past.
    """
    now_ns = time.time_ns()
    waits = {name: settle_s - abs(now_ns - look[1]) / 1e9 for name, look in looks.items()}
    young = {name for name, wait_s in waits.items() if wait_s > 0}
    awaited = {name for name in young if waits[name] <= PATIENCE_S}
    if awaited:
        time.sleep(max(waits[name] for name in awaited))
    return frozenset(
        name for name in young if name not in awaited or look_again(name) != looks[name]
    )
