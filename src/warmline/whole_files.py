"""Files that appear whole or not at all, whatever happens while they are written."""

import os
import stat
import uuid
from collections.abc import Callable
from pathlib import Path

from warmline.errors import WarmlineError

_PRIVATE = 0o600


def write_whole(
    path: Path, write: Callable[[Path], object], kind: type[WarmlineError], what: str
) -> Path:
    """Let `write` fill a temporary file beside `path`, then put it there in one step, durably.

    It has the mode of what was there before; a new one is for its owner alone.
    Raises an error of this `kind` naming the file, and `what` it was to hold, when the folder is
    read-only, full, or not a folder.
    """
    temporary = path.parent / f".{path.name}.{uuid.uuid4().hex}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            temporary.chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else _PRIVATE)
            sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync(path.parent)
    except OSError as e:
        raise kind(f"{path}: cannot write {what} ({e.strerror or e})") from e
    return path


def sync(path: Path) -> None:
    """Have a file, or the entries of a folder, written on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
