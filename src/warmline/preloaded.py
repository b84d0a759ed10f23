"""The modules that are imported before call processes are forked; importing this one imports them.

It is imported in the parent of those forks and nowhere else. Without the `listen` extra the import
fails, and each call reports what is missing.
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
        from warmline.models.engines import import_libraries

        import_libraries()

        import warmline.pipeline.calls  # noqa: F401
    finally:
        imported.set()
        watch.join()  # nothing of ours runs beside the forks


def _end_with_parent(parent: int, imported: threading.Event) -> None:
    """End this process as soon as the process that started it has ended.

    Otherwise it would go on for seconds, and keep open the standard output that a shell may wait
    for.
    """
    while not imported.wait(_LOOK_S):
        if os.getppid() != parent:
            os._exit(0)


# Libraries of linear algebra start threads when they are imported. The compiled loops of Whisper's
# alignment are too short for threads, which would only busy-wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
wait_passively()
_import_what_listens()
