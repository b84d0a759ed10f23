"""Ingest remote recordings: fetch them, identify them by their bytes, and skip those known.

Whether a remote recording is new is known without fetching only if it was listed before; any other
is fetched first, by the process that analyzes it.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from warmline import landing
from warmline.analysis import CallAnalysis
from warmline.errors import RecordingRefusedError, Status
from warmline.landing import Known
from warmline.pipeline.failures import base_analysis, fault_code
from warmline.pipeline.plan import PlannedCall
from warmline.recordings.find import identify
from warmline.recordings.metadata import MetadataTable, read_metadata
from warmline.recordings.remote import RemoteFile, fetch, file_system
from warmline.recordings.scratch import private_folder, scratch_folder
from warmline.settings import RecordingSettings, RedactionSettings

FORGOTTEN = "forgotten"


class RemoteCopy:
    """The local copy of a remote recording: fetched once, when its bytes are needed.

    The copy is removed when `kept` is left.
    """

    def __init__(self, file: RemoteFile, settings: RecordingSettings, kept: ExitStack) -> None:
        self.file = file
        self._settings = settings
        self._kept = kept

    @cached_property
    def copy(self) -> Path:
        """Return the local copy of the recording. Raises as `fetch` does."""
        scratch = scratch_folder(self._settings.scratch)
        return fetch(self.file, self._kept.enter_context(private_folder(scratch)))

    def again(self) -> Path:
        """Return the local copy of a recording that was analyzed before.

        Raises `OSError` also when it is gone or different: that is no reason to drop the analysis.
        """
        try:
            return self.copy
        except RecordingRefusedError as e:
            raise OSError(str(e)) from e


@dataclass(frozen=True)
class RemoteIngest:
    """Ingests the remote recordings of one process. `known` returns what has landed."""

    landing_dir: Path
    settings: RecordingSettings
    table: MetadataTable | None
    known: Callable[[], Known]
    redaction: RedactionSettings

    def take_in(self, call: PlannedCall, fetched: RemoteCopy) -> PlannedCall | CallAnalysis:
        """Return the call with the digest of its bytes; or its outcome if it need not be analyzed.

        That is a refusal, a passing fault, a copy of another recording, or that it was forgotten:
        of the last, nothing may land.
        """
        if call.recording.audio_sha256:
            return call
        try:
            digest = identify(fetched.copy).audio_sha256
        except RecordingRefusedError as e:
            return self._not_analyzed(call, e.status, e.code, str(e))
        except OSError as e:
            reason = str(e) if e.errno is None else f"{call.path}: {e.strerror}"
            return self._not_analyzed(call, Status.FAILED, fault_code(e), reason)
        call = replace(call, recording=fetched.file.recording(digest))
        erased = landing.forgotten_keys(self.landing_dir)
        if landing.is_forgotten(erased, digest, call.path):
            landing.keep_forgotten(
                self.landing_dir, landing.mark_of(fetched.file.url, fetched.file.stamp)
            )
            reason = "erased before (`warmline forget`), and left alone"
            return self._not_analyzed(call, Status.REFUSED, FORGOTTEN, reason)
        return self._beside_its_like(call, fetched.file)

    def _beside_its_like(self, call: PlannedCall, file: RemoteFile) -> PlannedCall | CallAnalysis:
        """Return the call as it follows from an analysis of the same bytes, if there is one."""
        earlier = landing.read_uncompacted(self.landing_dir, call.recording)
        landed = self.known().by_audio(call.recording.audio_sha256)
        if earlier and earlier.recording.audio_sha256 and earlier.status is not Status.DUPLICATE:
            path, analyzed_at = earlier.recording.path, earlier.analyzed_at
        elif landed:
            path, analyzed_at = landed.path, landed.analyzed_at
        else:
            return call
        after = max(filter(None, (call.after, analyzed_at)))
        call = replace(call, previous=landed, after=after)
        if path == call.path or not _is_there(path, file):
            return call
        reason = f"{file.path.name}: the same bytes as {path}, which is analyzed"
        return self._not_analyzed(call, Status.DUPLICATE, "same_bytes", reason)

    def _not_analyzed(
        self, call: PlannedCall, status: Status, code: str, reason: str
    ) -> CallAnalysis:
        table = self.table if call.takes_row else None
        metadata = read_metadata(call.source, self.settings, table, self.redaction)
        return base_analysis(call.recording, metadata, status, code, reason)


def _is_there(path: str, file: RemoteFile) -> bool:
    """Return whether another recording still exists; at a place that cannot be reached, it may."""
    if "://" not in path:
        return Path(path).is_file()
    if path.partition("://")[0] != file.source.partition("://")[0]:
        return True
    try:
        fs, _ = file_system(file.source)
        return bool(fs.exists(fs._strip_protocol(path)))
    except Exception:  # whatever a file system of the user's choice may raise
        return True
