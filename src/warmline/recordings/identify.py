"""What a file on disk is: its bytes, by digest, before anything is decoded."""

import errno
import hashlib
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from warmline.errors import RecordingRefusedError
from warmline.values import Recording

_BLOCK_BYTES = 1 << 20
_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}


def open_recording(path: Path) -> BinaryIO:
    """The file, open for reading bytes.

    Raises `RecordingRefusedError`: `not_found`, `unreadable` (permission), `not_a_file` (a folder,
    pipe or device: opening one could wait for ever), `empty_file`. Any other
    `OSError` passes through: a faulty disk or network share may work at the next try.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise RecordingRefusedError("not_a_file", f"{path.name}: a folder, pipe or device")
        if status.st_size == 0:
            raise RecordingRefusedError("empty_file", f"{path.name}: the file is empty (0 bytes)")
        return path.open("rb")
    except PermissionError as e:
        raise RecordingRefusedError(
            "unreadable", f"{path.name}: no permission to read it; allow reading and run again"
        ) from e
    except OSError as e:
        if e.errno not in _NOTHING_THERE:
            raise
        raise RecordingRefusedError(
            "not_found", f"{path.name}: there is no such file, or it is gone ({e.strerror})"
        ) from e


def identify(path: Path) -> Recording:
    """A recording's identity: path, size, time of change (UTC) and SHA-256 of its bytes.

    Raises `RecordingRefusedError` as `open_recording` does, and `still_changing` when the file
    grows or changes while it is read, as one that is still being copied does.
    """
    with open_recording(path) as file:
        before = path.stat()
        digest = hashlib.sha256()
        size = 0
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            size += len(block)
        after = path.stat()
    if size != before.st_size or after.st_mtime_ns != before.st_mtime_ns:
        raise RecordingRefusedError(
            "still_changing",
            f"{path.name}: it changed while being read ({before.st_size} bytes, then {size}); "
            "run again when the copy is complete",
        )
    return Recording(
        path=str(path),
        size_bytes=size,
        modified_at=datetime.fromtimestamp(before.st_mtime, UTC),
        audio_sha256=digest.hexdigest(),
    )
