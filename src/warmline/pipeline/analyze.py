"""Recordings, through every room of the house, to an analysis each."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from warmline import words
from warmline.analysis import CallAnalysis
from warmline.engines import Engines
from warmline.errors import RecordingRefusedError, Status, WarmlineError
from warmline.pipeline.call_run import CallRun
from warmline.pipeline.failures import base_analysis, fault_code, unread_recording
from warmline.pipeline.stages import CacheKeys
from warmline.progress import ProgressCallback, no_progress
from warmline.recordings.find import identify
from warmline.recordings.metadata import MetadataTable, read_metadata
from warmline.recordings.remote import RemoteFile


@dataclass(frozen=True)
class Remote:
    """A remote recording whose bytes are known; `copy` gives a local file of them when needed."""

    file: RemoteFile
    audio_sha256: str
    copy: Callable[[], Path]


@dataclass(frozen=True)
class CallInput:
    """A recording to analyze, what is known from before, and who hears how far it has come.

    `takes_row` is that of the planned call.
    """

    source: Path | Remote
    previous: CallAnalysis | None = None
    progress: ProgressCallback = no_progress
    takes_row: bool = True


def analyze_recording(
    path: Path,
    cache_keys: CacheKeys,
    engines: Engines,
    table: MetadataTable | None = None,
    previous: CallAnalysis | None = None,
    progress: ProgressCallback = no_progress,
) -> CallAnalysis:
    """Everything that can be known of one recording; see `analyze_recordings`."""
    given = CallInput(path, previous, progress)
    ((_, analysis),) = analyze_recordings([given], cache_keys, engines, table)
    return analysis


def analyze_recordings(
    given: Sequence[CallInput],
    cache_keys: CacheKeys,
    engines: Engines,
    table: MetadataTable | None = None,
) -> Iterator[tuple[int, CallAnalysis]]:
    """Everything that can be known of recordings; the files are read, never changed.

    Gives each one's place among the given and its analysis as they end. Their words are recognised
    together, all else is done one by one. `cache_keys` has the settings. Results of `previous`
    whose keys are today's are not computed again, and the sound is decoded only when a stage needs
    it. A recording that cannot be analyzed gives an analysis with its status and reason; so does an
    unforeseen fault, with the stage it happened in. Raises `WarmlineError` only for what would
    befall every call, such as a missing model.
    """
    settings = cache_keys.settings
    return words.together(
        [_analysis(one, cache_keys, engines, table if one.takes_row else None) for one in given],
        lambda: words.recogniser(settings.words, engines),
    )


def _analysis(
    given: CallInput, cache_keys: CacheKeys, engines: Engines, table: MetadataTable | None
) -> words.Asking[CallAnalysis]:
    source, s = given.source, cache_keys.settings
    if isinstance(source, Remote):
        recording = source.file.recording(source.audio_sha256)
        metadata = read_metadata(source.file, s.recordings, table, s.redaction)
        call = CallRun(
            recording, metadata, cache_keys, engines, given.previous, given.progress, source.copy
        )
        return (yield from _passed(call))
    metadata = read_metadata(source, s.recordings, table, s.redaction)
    try:
        recording = identify(source)
    except RecordingRefusedError as e:
        return base_analysis(unread_recording(source), metadata, e.status, e.code, str(e))
    except OSError as e:  # a disk or share that may be back at the next try
        reason = f"{source.name}: cannot be read now ({e.strerror or e})"
        return base_analysis(
            unread_recording(source), metadata, Status.FAILED, fault_code(e), reason
        )
    call = CallRun(recording, metadata, cache_keys, engines, given.previous, given.progress)
    return (yield from _passed(call))


def _passed(call: CallRun) -> words.Asking[CallAnalysis]:
    """What comes of a call that goes through the house."""
    try:
        yield from call.run_stages()
    except RecordingRefusedError as e:
        call.note_refusal()
        return call.close(e.status, e.code, str(e))
    except WarmlineError:
        raise
    except Exception as e:  # a fault of ours ends this call, not the night
        return call.close(Status.FAILED, fault_code(e), call.describe(e))
    return call.close(Status.ANALYZED, None, None)
