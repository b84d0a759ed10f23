"""The processes that analyze calls: how many there can be, what holds in them, how they end."""

import ctypes
import os
import resource
import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from warmline.forking import end_with, wait_passively
from warmline.process_limits import leave_no_core_file

_GB = 1e9
# Of all processes, the kernel ends one of these when the machine has no memory left: a call is
# lost for this try, not the run that tries it again.
_FIRST_TO_GO = "500"
_COMPILED = "128"


def how_it_died(exit_code: int) -> str:
    """One line for a person; a negative exit code is the number of a signal."""
    if exit_code >= 0:
        return f"its process ended by itself (exit code {exit_code})"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    if name == "SIGKILL":
        return "its process was killed (SIGKILL): by the system when memory ran out, or by someone"
    return f"its process crashed ({name}) in native code"


def cores() -> int:
    """Return how many CPUs this process may use: its affinity, and the quota of its cgroups."""
    if hasattr(os, "sched_getaffinity"):  # not everywhere, but where it is, cpusets count
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    quota = cpu_quota(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    return allowed if quota is None else max(1, min(allowed, int(quota)))


def cpu_quota(membership: Path, mounted: Path) -> float | None:
    """Return the CPUs that the cgroups of a process leave it, the least of all; None: no limit.

    Of version 2 (`cpu.max`) and 1 (`cpu.cfs_quota_us`), those above the process's own included.
    A container sees its own cgroup as the root of what is mounted.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:  # no Linux
        return None
    quotas = []
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = mounted / controllers if controllers else mounted
        inside = root / place.lstrip("/")
        for folder in (inside, *inside.parents):
            if not folder.is_relative_to(root):
                break
            quotas.append(_quota_of(folder))
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota_of(cgroup: Path) -> float | None:
    for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
        with suppress(OSError, ValueError):  # "max" is no number, and no limit
            quota, period = " ".join((cgroup / name).read_text() for name in names).split()
            if float(quota) > 0:
                return float(quota) / float(period)
    return None


def threads_each(jobs: int) -> int:
    """Return how many threads each of so many processes should compute with.

    They divide the CPUs among them that other programs leave. Where these leave none, it is one: a
    process that waits at every small product for a thread that has no CPU takes many times as long.
    """
    available = cores()
    busy = int(os.getloadavg()[0]) if hasattr(os, "getloadavg") else 0
    return max(1, min(available // jobs, available - busy))


def settle_in(run: int, environment: Mapping[str, str], threads: int, memory_gb: float) -> None:
    """What holds for this process as long as it lives; `run` is the process that it works for.

    It may be a fork of one that was begun in another environment than the run's.
    """
    # When the run is killed, a long call would go on for hours, for nobody.
    threading.Thread(target=end_with, args=(run,), daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    # Processes side by side divide the cores among them, whatever each alone might have taken.
    given = os.environ.get("OMP_NUM_THREADS", "")
    threads = min(threads, int(given)) if given.isdigit() and int(given) else threads
    os.environ["OMP_NUM_THREADS"] = str(threads)
    wait_passively()
    # Whisper's alignment is compiled by numba, whose own threads would wait busily for each other;
    # a fork has numba with one already, which may not be changed.
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    # What oneDNN compiled for a length of sound or text is kept, and the next call has other ones.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _COMPILED)
    with suppress(OSError):  # not every system has it
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    leave_no_core_file()
    if memory_gb:
        limit = round(memory_gb * _GB)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def give_memory_back() -> None:
    """Return to the system what this process has freed; else its heap grows for dozens of calls."""
    with suppress(OSError, AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)
