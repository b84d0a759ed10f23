"""Processes that analyze calls: how they start, what they may do, how they end, how far they are.

They are forked from one that has already imported the listening libraries. Where forking is not
safe (macOS, whose frameworks do not survive it), each process imports them itself.
"""

import ctypes
import os
import resource
import select
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, TypeVar

from warmline.files import PRIVATE_FILE, temporary_folder

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

_LOOK_S = 1.0
_FORKS = sys.platform == "linux"

Call = TypeVar("Call")


def wait_passively() -> None:
    """Let linear algebra threads sleep while they wait, unless the user has set it otherwise.

    By default they spin, and take the CPUs they wait for from each other and from other programs.
    Call this before torch or CTranslate2 are loaded: they read the setting once.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # GNU's OpenMP, which torch has
    os.environ.setdefault("KMP_BLOCKTIME", "0")  # Intel's and LLVM's, which CTranslate2 has


class _NoPandas:
    """Finds no pandas, and leaves all other modules to those who find them."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is left out of this process", name=name)


def leave_pandas_out() -> None:
    """Keep DuckDB and Arrow from importing pandas in this process: `import pandas` fails from here.

    DuckDB looks for it when it is given a value, Arrow when it writes a table: a third of a second
    and 40 MB. Without effect where pandas has been imported already.
    """
    sys.meta_path.insert(0, _NoPandas)


def context(*, listens: bool = True) -> "BaseContext":
    """Return the multiprocessing context that call processes are started with.

    Processes that are not to listen (`listens`) are not forked: the imports before the first fork
    take seconds. One that has to listen all the same imports the libraries itself.
    """
    import multiprocessing  # here, as a process that answers a query has no use for it

    if not (_FORKS and listens):
        return multiprocessing.get_context("spawn")
    chosen = multiprocessing.get_context("forkserver")
    chosen.set_forkserver_preload(["warmline.preloaded"])
    _start_server()
    return chosen


def begin() -> None:
    """Start the imports now, alongside whatever comes before the first call."""
    if _FORKS:
        context()


def _start_server() -> None:
    """Start the process that forks the others, unless it runs; an interrupt is for its run alone.

    Python has it ignore interrupts only once it has imported everything.
    """
    from multiprocessing import forkserver, resource_tracker

    _place_sockets()
    resource_tracker.ensure_running()  # here, as it lets interrupts through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_what_was_blocked() -> None:
    """Ignore interrupts in a process that was started with interrupts blocked."""
    if signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


# A socket's name has at most 107 characters, of which Python adds 32.
_LONGEST_PLACE = 75


@cache
def _place_sockets() -> None:
    """Have multiprocessing put its sockets where they are swept after this process is killed."""
    import tempfile
    from multiprocessing import util

    kept = ExitStack()
    place = str(kept.enter_context(temporary_folder()))
    if len(place) > _LONGEST_PLACE:
        kept.close()
        return
    before, tempfile.tempdir = tempfile.tempdir, place
    try:
        util.get_temp_dir()
    finally:
        tempfile.tempdir = before
    util.Finalize(None, kept.close, exitpriority=-200)  # after it has removed its own, at -100


def end_with(process: int) -> None:
    """Wait until a process ends, even if killed, then end this one. Run it in a thread of its own.

    Where a process can only wait for its children, `process` has to be the parent.
    """
    if sys.platform == "linux":
        with suppress(ProcessLookupError):
            select.select([os.pidfd_open(process)], [], [])
    else:
        while os.getppid() == process:
            sleep(_LOOK_S)
    os._exit(1)


@contextmanager
def plain_interrupts() -> Iterator[None]:
    """Raise the interrupt, or request to end, that met this process while DuckDB was at work.

    DuckDB turns it into a RuntimeError, which would be taken for a fault.
    """
    try:
        yield
    except RuntimeError as e:
        ending = e.__cause__
        if ending is None or isinstance(ending, Exception):
            raise
        raise ending from None


# Rights that a process gives up from here on, enforced by the operating system.


_SET_PARENT_DEATH_SIGNAL, _SET_DUMPABLE, _SET_NO_NEW_PRIVILEGES = 1, 4, 38
_CREATE_RULESET, _RESTRICT_SELF, _ASK_VERSION = 444, 446, 1  # of Landlock, Linux 5.13 and later
# What a version of Landlock can forbid in the file system, as bits: writing, removing and making
# files (1); moving them to another folder (2); truncating them (3).
_WRITES = {1: 0b1_1111_1111_0010, 2: 1 << 13, 3: 1 << 14}


def leave_no_core_file() -> None:
    """Keep this process from leaving a core file: it would hold what was said in calls.

    Nor is the process piped to a program that the system starts for cores, which the limit does not
    prevent; other processes of the user can no longer read its memory.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_SET_DUMPABLE, 0)


def end_with_parent(parent: int) -> None:
    """Have this process killed when `parent`, which started it, ends."""
    _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def limit_memory_and_time(memory_bytes: int, cpu_s: int) -> None:
    """Limit this process's memory, and end it after so much CPU time."""
    for what, most in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, cpu_s)):
        _, before = resource.getrlimit(what)
        bound = most if before == resource.RLIM_INFINITY else min(most, before)
        with suppress(OSError, ValueError):  # macOS knows RLIMIT_AS and refuses it
            resource.setrlimit(what, (bound, bound))


def forbid_writing() -> None:
    """Give up the right of this process to write, create, truncate or remove any file."""
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


# The processes that analyze calls: how many may run, what limits them, how they end.


_GB = 1e9
_CALL_GB = 1.5  # memory of a call's process
_NO_LIMIT_BYTES = 1 << 60  # cgroup v1 says "no limit" with a number near 2**63
# When the machine runs out of memory, the kernel ends one of these first: one call fails for now,
# not the run that would retry it.
_FIRST_TO_GO = "500"
_COMPILED = "128"


def how_it_died(exit_code: int) -> str:
    """Return one line for a person on how a process died; a negative exit code is a signal's
    number.
    """
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

    A container's quota of processor time (`cpu.max`, in cgroup v1 `cpu.cfs_quota_us`) counts in
    whole cores: threads beyond it would only wait.
    """
    if hasattr(os, "sched_getaffinity"):  # where there is one, it respects containers
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    return max(1, min(available, int(_cpu_quota(system))))


def memory_limit_gb(system: Path = Path("/")) -> float | None:
    """Return the memory limit of this process's cgroup, in GB; None where none is set."""
    limits = [
        int(text)
        for folder in _cgroup_folders(system, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        if (text := _text(folder / name)).isdigit() and int(text) < _NO_LIMIT_BYTES
    ]
    return min(limits) / _GB if limits else None


def jobs_at_once(wanted: int, pending: int, available: int, limit_gb: float | None) -> int:
    """Return how many calls to analyze at the same time: `wanted`, or for 0 as many as fit.

    That is one per available core, within the available memory, and no more than are pending.
    """
    if wanted:
        return wanted
    fitting = available if limit_gb is None else int(limit_gb / _CALL_GB)
    return max(1, min(available, pending, fitting))


def _cpu_quota(system: Path) -> float:
    """Return how many cores' worth of time the cgroup and its ancestors allow; infinite if
    unlimited.
    """
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
    """Return the folders with this process's limits: its cgroup and its ancestors, in either
    version.
    """
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
    """Prepare this process for analyzing calls, for as long as it lives; `run` is its run's
    process.

    It may be a fork of a process that was started with another environment than the run's.
    """
    # When the run is killed, a long call would otherwise go on for hours, for nobody.
    threading.Thread(target=end_with, args=(run,), daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    # Processes side by side divide the cores among them, whatever each alone might have used.
    given = os.environ.get("OMP_NUM_THREADS", "")
    threads = min(threads, int(given)) if given.isdigit() and int(given) else threads
    os.environ["OMP_NUM_THREADS"] = str(threads)
    wait_passively()
    # Whisper's alignment is compiled by numba, whose own threads would busy-wait for each other; a
    # fork has already set numba to one thread, which may not be changed.
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    # oneDNN caches what it compiled for each length of sound or text, and the next call has others.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _COMPILED)
    with suppress(OSError):  # not every system has it
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    leave_no_core_file()
    leave_pandas_out()
    if memory_gb:
        limit = round(memory_gb * _GB)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def give_memory_back() -> None:
    """Return freed memory to the system; otherwise the heap grows for dozens of calls."""
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def threads_each(jobs: int) -> int:
    """Return how many threads each of `jobs` processes should compute with.

    They divide the CPUs that other programs leave. If none is left, each gets one thread: a process
    that waits at every small product for a thread without a CPU takes many times as long.
    """
    available = cores()
    busy = int(os.getloadavg()[0]) if hasattr(os, "getloadavg") else 0
    return max(1, min(available // jobs, available - busy))


# Recordings go to a process several at a time, so that their words share the recogniser's batches.

_MOST_CALLS, _FEW_CALLS = 6, 3
# Some three minutes of uncompressed two-channel telephone sound; a call of more than half of that
# fills the recogniser's batches by itself.
_MOST_BYTES = 6_400_000


def batches(
    calls: Iterable[Call], size: Callable[[Call], int], jobs: int
) -> Iterator[tuple[Call, ...]]:
    """Yield batches of calls to be analyzed by `jobs` processes, each taking the next when free.

    Several short calls share a batch, a long one is alone; `size` gives a call's bytes. A batch
    takes the largest of the next calls, and of all these no more than a process's share. So batches
    get smaller towards the end, and no process is busy for long when the others have nothing left:
    how much of a call is speech, which is what takes time, is not known before. Where there are
    three calls for each process at most, each has one batch: smaller ones would take longer than
    what is gained.
    """
    to_come = iter(calls)
    waiting = list(islice(to_come, jobs * _MOST_CALLS))
    if len(waiting) <= jobs * _FEW_CALLS and not any(_is_long(size(call)) for call in waiting):
        yield from _evenly(waiting, size, jobs)
        return
    while waiting:
        waiting.sort(key=size, reverse=True)
        room = min(_MOST_BYTES, sum(map(size, waiting)) / jobs) - size(waiting[0])
        batch, left = waiting[:1], list[Call]()
        for call in waiting[1:]:
            if _is_long(size(batch[0])) or len(batch) == _MOST_CALLS or size(call) > room:
                left.append(call)
            else:
                batch.append(call)
                room -= size(call)
        yield tuple(batch)
        waiting = [*left, *islice(to_come, len(batch))]


def _is_long(size_bytes: int) -> bool:
    return size_bytes > _MOST_BYTES // 2


def _evenly(
    calls: Iterable[Call], size: Callable[[Call], int], jobs: int
) -> Iterator[tuple[Call, ...]]:
    """Yield a batch for each process, the largest first: each call joins the smallest."""
    shares: list[list[Call]] = [[] for _ in range(jobs)]
    for call in sorted(calls, key=size, reverse=True):
        min(shares, key=lambda share: (sum(map(size, share)), len(share))).append(call)
    shares.sort(key=lambda share: sum(map(size, share)), reverse=True)
    yield from (tuple(share) for share in shares if share)


# Progress of a long piece of work, reported to whoever waits for it.

# Called with the share of the work that is done, 0..1.
ProgressCallback = Callable[[float], None]


def no_progress(share: float) -> None:
    """Ignore progress: nobody waits for it."""


def part_of(tell: ProgressCallback, first: float, past: float) -> ProgressCallback:
    """Return a callback for a part of the work that lies between two shares of the whole."""
    return lambda share: tell(first + share * (past - first))


# Progress of the calls being analyzed: written by their processes, read by the one that waits.


_SHARE = struct.Struct("d")


class ProgressFile:
    """A shared file with a slot for the progress of each call; `close` removes it."""

    def __init__(self) -> None:
        self._kept = ExitStack()
        self.path = self._kept.enter_context(temporary_folder()) / "progress"
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)

    def share(self, place: int) -> float:
        """Return the share, 0..1, last reported for the call in this slot."""
        told = os.pread(self._file, _SHARE.size, place * _SHARE.size)
        return float(_SHARE.unpack(told)[0]) if len(told) == _SHARE.size else 0.0

    def writer(self, place: int) -> "ProgressWriter":
        """Return a writer for the slot of a call that is about to begin."""
        writer = ProgressWriter(self.path, place)
        writer(0.0)
        return writer

    def close(self) -> None:
        """Remove the file; later reports are ignored."""
        os.close(self._file)
        self._kept.close()


@dataclass(frozen=True)
class ProgressWriter:
    """Reports the progress of one call, from any process, in its slot of a ProgressFile."""

    path: Path
    place: int

    def __call__(self, share: float) -> None:
        """Write the share that is done; does nothing once the file is removed."""
        with suppress(FileNotFoundError), self.path.open("r+b", buffering=0) as file:
            os.pwrite(file.fileno(), _SHARE.pack(share), self.place * _SHARE.size)
