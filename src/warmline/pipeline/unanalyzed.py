"""Recordings in which nothing could be heard: refused, failed, or a copy of another one."""

from datetime import UTC, datetime
from pathlib import Path

from warmline import __version__
from warmline.analysis import CallAnalysis
from warmline.errors import Status
from warmline.values import CallMetadata, Recording

# What may be gone at the next try: a share that was away, memory that another job had.
PASSING_FAULTS = frozenset({"io_error", "out_of_memory", "process_died"})


def fault_code(error: BaseException) -> str:
    """A stable word for an unforeseen fault, by its kind."""
    if isinstance(error, MemoryError):
        return "out_of_memory"
    return "io_error" if isinstance(error, OSError) else "fault"


def unread_recording(path: Path) -> Recording:
    """A recording as the file system tells of it, its bytes unread: the digest is empty."""
    try:
        status = path.stat()
    except OSError:
        return Recording(str(path), 0, datetime.fromtimestamp(0, UTC), "")
    changed = datetime.fromtimestamp(status.st_mtime, UTC)
    return Recording(str(path), status.st_size, changed, "")


def not_analyzed(
    recording: Recording,
    metadata: CallMetadata,
    status: Status,
    code: str | None,
    reason: str | None,
) -> CallAnalysis:
    """An analysis without any part, that says why there is none."""
    return CallAnalysis(
        recording=recording,
        metadata=metadata,
        status=status,
        reason_code=code,
        reason=reason,
        analyzed_at=datetime.now(UTC),
        warmline_version=__version__,
        models={},
        stage_keys=(),
    )
