"""What is imported in the process off which those for calls are forked: importing this does it.

It is imported there and nowhere else. Without the `listen` extra the import fails, and calls say
what is missing.
"""

import os
import threading

from warmline.processes import wait_passively

_LOOK_S = 0.1


def _import_what_listens() -> None:
    imported = threading.Event()
    watch = threading.Thread(target=_end_with_parent, args=(os.getppid(), imported))
    watch.start()
    try:
        from warmline.engines import import_libraries

        import_libraries()

        import warmline.pipeline.calls  # noqa: F401
    finally:
        imported.set()
        watch.join()  # nothing of ours runs beside the forks


def _end_with_parent(parent: int, imported: threading.Event) -> None:
    """When whoever began this has ended, nobody wants a fork of it: end at once, not seconds later.

    It holds the standard output that a shell may be waiting for.
    """
    while not imported.wait(_LOOK_S):
        if os.getppid() != parent:
            os._exit(0)


# Libraries of linear algebra start threads when they are imported; and the compiled loops of
# Whisper's alignment are not worth threads, which would wait busily for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
wait_passively()
_import_what_listens()
