"""Analyses of recordings without a result: refused, failed, or a copy of another one."""

import errno
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from warmline import __version__, landing
from warmline.analysis import CallAnalysis
from warmline.errors import Status
from warmline.landing import Landed
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


# Calls that failed too often and are left alone, put back by a person who has looked at them.


def failed_calls(
    landing_dir: Path, calls: Collection[str] = (), reasons: Collection[str] = ()
) -> list[Landed]:
    """Calls that have failed, in order of path: those named, and those of a named reason code.

    A call is named by its id, by that with `~` and its digest, or by its recording's path. Without
    a name or reason, all of them. Raises `LandingError` when the folder cannot be read.
    """
    failed = [
        call
        for call in landing.known(landing_dir)
        if call.failed_runs > 0
        and (
            not (calls or reasons)
            or not names_of(call).isdisjoint(calls)
            or call.reason_code in reasons
        )
    ]
    return sorted(failed, key=lambda call: call.path)


def names_of(call: Landed) -> frozenset[str]:
    """Return what a landed call may be called: its id, its exact name, its recording's path."""
    return frozenset((call.call_id, exact_name_of(call), call.path))


def exact_name_of(call: Landed) -> str:
    """Return the name that no other call has, also where others claim the same id."""
    return f"{call.call_id}~{call.landing_key.rpartition('/')[2][:8]}"


def put_back(landing_dir: Path, failed: Iterable[Landed]) -> int:
    """Forget how often calls have failed, so that the next run takes them; returns how many.

    Stages that they had passed are kept. Raises `LandingError` when a file cannot be written.
    """
    count = 0
    for call in failed:
        analysis = landing.read_landed(landing_dir, call)
        fresh = dated_after(replace(analysis, failed_runs=0), analysis.analyzed_at)
        landing.write(fresh, landing_dir)
        count += 1
    return count
