"""Processes for calls are forked off one that has imported what listens: once, and not in each.

Where that is not safe (macOS, whose frameworks do not survive a fork), each imports for itself.
"""

import ctypes
import multiprocessing
import os
import resource
import select
import signal
import struct
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path
from time import sleep

_LOOK_S = 1.0
_FORKS = sys.platform == "linux"


def wait_passively() -> None:
    """Have threads of linear algebra sleep while they wait, unless the user has said otherwise.

    They would spin, and take the CPUs that they wait for from each other and from other programs.
    To be called before torch, scikit-learn or CTranslate2 are loaded: these read it once.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # GNU's OpenMP, which torch has
    os.environ.setdefault("KMP_BLOCKTIME", "0")  # Intel's and LLVM's, which CTranslate2 has


def context() -> BaseContext:
    """How processes for calls are made here."""
    if not _FORKS:
        return multiprocessing.get_context("spawn")
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(["warmline.preloaded"])
    return chosen


def begin() -> None:
    """Have the imports begin now, beside whatever comes before the first call."""
    if _FORKS:
        context()
        forkserver.ensure_running()


def end_with(process: int) -> None:
    """Wait until a process ends, also by a kill, and end this one then. For a thread of its own.

    Where nothing but its children can be waited for, `process` has to be the parent.
    """
    if sys.platform == "linux":
        with suppress(ProcessLookupError):
            select.select([os.pidfd_open(process)], [], [])
    else:
        while os.getppid() == process:
            sleep(_LOOK_S)
    os._exit(1)


# What a process may no longer do from here on; the operating system holds it to that.


_SET_PARENT_DEATH_SIGNAL, _SET_DUMPABLE, _SET_NO_NEW_PRIVILEGES = 1, 4, 38
_CREATE_RULESET, _RESTRICT_SELF, _ASK_VERSION = 444, 446, 1  # of Landlock, Linux 5.13 and later
# What of the file system a version of Landlock can forbid, as bits: to write to files, to remove
# and to make them (1); to move them to another folder (2); to cut them off (3).
_WRITES = {1: 0b1_1111_1111_0010, 2: 1 << 13, 3: 1 << 14}


def leave_no_core_file() -> None:
    """See that no core file of this process is written: it would hold what was said in calls.

    Nor is the process handed to a program that the system starts for cores, which the limit does
    not prevent; other processes of the user cannot look into its memory any more.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_SET_DUMPABLE, 0)


def end_with_parent(parent: int) -> None:
    """Have this process killed when `parent`, which started it, ends."""
    _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def limit_memory_and_time(memory_bytes: int, cpu_s: int) -> None:
    """Give this process so much memory, and end it after so much computing."""
    for what, most in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, cpu_s)):
        _, before = resource.getrlimit(what)
        bound = most if before == resource.RLIM_INFINITY else min(most, before)
        with suppress(OSError, ValueError):  # macOS knows RLIMIT_AS and refuses it
            resource.setrlimit(what, (bound, bound))


def forbid_writing() -> None:
    """Take from this process the right to write to, make, cut off or remove any file."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    if version < 1:  # a kernel without Landlock
        return
    forbidden = sum(bits for since, bits in _WRITES.items() if since <= version)
    ruleset = libc.syscall(_CREATE_RULESET, struct.pack("Q", forbidden), 8, 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "Landlock makes no rules")
    _prctl(_SET_NO_NEW_PRIVILEGES, 1)
    failed = libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
    if failed:
        raise OSError(ctypes.get_errno(), "Landlock does not hold")


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


# The processes that analyze calls: how many there can be, what holds in them, how they end.


_GB = 1e9
_CALL_GB = 1.5  # what the process of a call takes
_NO_LIMIT_BYTES = 1 << 60  # cgroup v1 says "no limit" with a number near 2**63
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


def cores(system: Path = Path("/")) -> int:
    """Return how many cores this process may use, at least 1.

    A container's share of processor time (`cpu.max`, in cgroup v1 `cpu.cfs_quota_us`) counts whole
    cores: threads beyond it would only wait.
    """
    if hasattr(os, "sched_getaffinity"):  # not everywhere, but where it is, containers count
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    return max(1, min(available, int(_cpu_quota(system))))


def memory_limit_gb(system: Path = Path("/")) -> float | None:
    """Return the memory that this process's cgroup may take; None where none is set."""
    limits = [
        int(text)
        for folder in _cgroup_folders(system, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        if (text := _text(folder / name)).isdigit() and int(text) < _NO_LIMIT_BYTES
    ]
    return min(limits) / _GB if limits else None


def jobs_at_once(wanted: int, pending: int, available: int, limit_gb: float | None) -> int:
    """Return how many calls are analyzed at the same time: as `wanted`, or (0) as fits.

    That is one on each available core, in the memory that there is, and no more than are pending.
    """
    if wanted:
        return wanted
    fitting = available if limit_gb is None else int(limit_gb / _CALL_GB)
    return max(1, min(available, pending, fitting))


def _cpu_quota(system: Path) -> float:
    """Cores' worth of time that the cgroup and those above it allow; infinite without a limit."""
    quotas = [float("inf")]
    for folder in _cgroup_folders(system, "cpu"):
        quota, _, period = _text(folder / "cpu.max").partition(" ")
        if not quota:
            quota = _text(folder / "cpu.cfs_quota_us")
            period = _text(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            quotas.append(int(quota) / int(period))
    lowest = min(quotas)
    return lowest if lowest < sys.maxsize else sys.maxsize


def _cgroup_folders(system: Path, controller: str) -> list[Path]:
    """Where limits of this process may stand: its cgroup and all above it, of either version."""
    folders: list[Path] = []
    mounted = system / "sys/fs/cgroup"
    for line in _text(system / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        tops = [mounted / controllers, mounted / controller] if controllers else [mounted]
        inside = Path(path.lstrip("/"))
        folders += [top / part for top in tops for part in (inside, *inside.parents)]
    return list(dict.fromkeys([*folders, mounted, mounted / controller]))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


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


def threads_each(jobs: int) -> int:
    """Return how many threads each of so many processes should compute with.

    They divide the CPUs among them that other programs leave. Where these leave none, it is one: a
    process that waits at every small product for a thread that has no CPU takes many times as long.
    """
    available = cores()
    busy = int(os.getloadavg()[0]) if hasattr(os, "getloadavg") else 0
    return max(1, min(available // jobs, available - busy))
