"""Processes for calls are forked off one that has imported what listens: once, and not in each.

Where that is not safe (macOS, whose frameworks do not survive a fork), each imports for itself.
"""

import multiprocessing
import sys
from multiprocessing import forkserver
from multiprocessing.context import BaseContext

_FORKS = sys.platform == "linux"


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
