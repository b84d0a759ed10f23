"""What a process may no longer do from here on; the operating system holds it to that.

Linux has all of it. Where a system lacks one of these, the others still hold.
"""

import ctypes
import os
import resource
import signal
import struct
import sys
from contextlib import suppress

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
