"""Processes for calls are forked off one that has imported what listens: once, and not in each.

Where that is not safe (macOS, whose frameworks do not survive a fork), each imports for itself.
"""

import multiprocessing
import os
import select
import sys
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
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
