"""Analyses of recordings without a result: refused, failed, or a copy of another one."""

import errno
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from warmline import __version__
from warmline.analysis import CallAnalysis
from warmline.errors import Status
from warmline.values import CallMetadata, Recording

# What may be gone at the next try: a share that was offline, memory that another job used.
PASSING_FAULTS = frozenset({"io_error", "out_of_memory", "process_died"})
# Refusals for bytes that identify a remote recording until it changes.
LASTING = frozenset({"empty_file"})
# What torch says when a machine or a device is out of memory: plain RuntimeErrors.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


def fault_code(error: BaseException) -> str:
    """Return a stable code for an unforeseen fault, by its kind."""
    if _is_lack_of_memory(error):
        return "out_of_memory"
    return "io_error" if isinstance(error, OSError) else "fault"


def _is_lack_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _NO_MEMORY)


def dated_after(analysis: CallAnalysis, after: datetime | None) -> CallAnalysis:
    """Return the analysis, dated after the one it follows, even if the clock was set back.

    Of two analyses the newer counts; one that seemed older would be made again every night.
    """
    if after is None or analysis.analyzed_at > after:
        return analysis
    return replace(analysis, analyzed_at=after + timedelta(microseconds=1))


def unread_recording(path: Path) -> Recording:
    """Return a recording as the file system describes it, its bytes unread: the digest is empty."""
    try:
        status = path.stat()
    except OSError:
        return Recording(str(path), 0, datetime.fromtimestamp(0, UTC), "")
    changed = datetime.fromtimestamp(status.st_mtime, UTC)
    return Recording(str(path), status.st_size, changed, "")


def base_analysis(
    recording: Recording,
    metadata: CallMetadata,
    status: Status,
    code: str | None,
    reason: str | None,
) -> CallAnalysis:
    """Return an analysis without any part, with the reason why there is none."""
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
