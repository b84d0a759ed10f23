"""What is imported before call processes are forked, and the rules that are read; importing this
module does it.

It is imported in the parent of those forks and nowhere else. Without the `listen` extra the import
fails, and each call reports what is missing.
"""

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

from warmline.errors import WarmlineError
from warmline.processes import ignore_what_was_blocked, wait_passively

_LOOK_S = 0.1


def _import_what_listens() -> None:
    imported = threading.Event()
    watch = threading.Thread(target=_end_with_parent, args=(os.getppid(), imported))
    watch.start()
    try:
        with _nothing_collected():
            from warmline.models.engines import import_libraries

            import_libraries()

            import warmline.pipeline.calls  # noqa: F401
            from warmline.language.speech_acts import act_book
            from warmline.turns.roles import role_rules

            for name in ("av", "scipy.fft", "soxr"):
                import_module(name)
            with suppress(WarmlineError):  # a broken rule is told of by the call that needs it
                act_book()
                role_rules()
    finally:
        imported.set()
        watch.join()  # nothing of ours runs beside the forks


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Look for no garbage within, and never in what is there afterwards.

    Modules make a million objects, none of them garbage: looking through them again and again took
    a sixth of the imports, and as much again in each fork, whose copy of every page it touches
    would be its own.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _end_with_parent(parent: int, imported: threading.Event) -> None:
    """End this process as soon as the process that started it has ended.

    Otherwise it would go on for seconds, and keep open the standard output that a shell may wait
    for.
    """
    while not imported.wait(_LOOK_S):
        if os.getppid() != parent:
            os._exit(0)


ignore_what_was_blocked()
# Libraries of linear algebra start threads when they are imported. The compiled loops of Whisper's
# alignment are too short for threads, which would only busy-wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
wait_passively()
_import_what_listens()
