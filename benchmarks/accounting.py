"""What a command costs: wall time, CPU time and memory of the process and all that it starts."""

import os
import platform
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_LOOK_EVERY_S = 0.25
_LOOKS_A_WEIGHING = 8  # adding up pages takes time from the machine, and from who is weighed


@dataclass(frozen=True)
class Cost:
    """What one run took; `peak_mb` is the largest sum over all its processes at one moment."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def median_cost(runs: Iterable[Cost]) -> Cost:
    """The median of each figure by itself."""
    runs = list(runs)
    return Cost(
        statistics.median(r.wall_s for r in runs),
        statistics.median(r.cpu_s for r in runs),
        statistics.median(r.peak_mb for r in runs),
    )


def measured(command: list[str], log: Path, look: Callable[[int], None] | None = None) -> Cost:
    """Run a command to its end. Raises RuntimeError with the log's end when it fails.

    Meanwhile `look` is given the number of its process, about four times a second.
    """
    started = time.perf_counter()
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        watch = _Watch(child.pid, look)
        watch.start()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        watch.stop()
    wall_s = time.perf_counter() - started
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {log.read_text()[-2000:]}")
    # Short runs may end between two samples; the kernel's own peak is of the largest process, its
    # CPU time of those that were waited for.
    peak_mb = max(watch.peak_mb, usage.ru_maxrss / 1024)
    return Cost(wall_s, max(watch.cpu_s, usage.ru_utime + usage.ru_stime), peak_mb)


class _Watch(threading.Thread):
    """Samples memory and CPU time of a process and its descendants; shared pages count once (PSS).

    Of the CPU time of each, what it did after the last look at it is missed: a quarter second.
    """

    def __init__(self, pid: int, look: Callable[[int], None] | None) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0
        self._cpu_s: dict[int, float] = {}
        self._pid = pid
        self._look = look
        self._done = threading.Event()

    def run(self) -> None:
        looks = 0
        while not self._done.wait(_LOOK_EVERY_S):
            family = list(_family(self._pid))
            self._cpu_s |= {pid: _cpu_s(pid, self._cpu_s.get(pid, 0.0)) for pid in family}
            if looks % _LOOKS_A_WEIGHING == 0:
                self.peak_mb = max(self.peak_mb, sum(map(_memory_kb, family)) / 1024)
            looks += 1
            if self._look:
                self._look(self._pid)

    @property
    def cpu_s(self) -> float:
        """CPU time of all processes that were seen."""
        return sum(self._cpu_s.values())

    def stop(self) -> None:
        self._done.set()
        self.join()


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = _children_by_parent(pid)
    for child in children:
        yield from _family(int(child))


def _children_by_parent(parent: int) -> list[str]:
    """Where the kernel keeps no list of children: every process is asked for its parent."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(stat.parent.name)
    return found


def _cpu_s(pid: int, before: float) -> float:
    """CPU time of a process so far; what it was `before` when it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return before
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def own_memory_mb(pid: int) -> float:
    """What a process holds for itself alone, in memory now; 0 when it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next(
        (int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("RssAnon:")),
        0.0,
    )


def _memory_kb(pid: int) -> int:
    """Proportional set size of a process; resident size where that is not to be had."""
    for name, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            text = Path(f"/proc/{pid}/{name}").read_text()
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith(key):
                return int(line.split()[1])
    return 0


def machine() -> str:
    """The machine in a line."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} at the start"
    )
