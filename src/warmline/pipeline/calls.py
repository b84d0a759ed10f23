"""A batch of calls in the process that analyzes it: each is landed as it ends."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path

from warmline import landing
from warmline.analysis import CallAnalysis, base_analysis, dated_after
from warmline.encryption import look_for_key
from warmline.errors import RecordingRefusedError, Status, fault_code
from warmline.files import is_there, private_folder
from warmline.landing import Known, LandingError
from warmline.models.engines import Engines
from warmline.pipeline.analyze import CallInput, Remote, analyze_recordings
from warmline.pipeline.plan import Plan, PlannedCall
from warmline.pipeline.stages import CacheKeys, with_later
from warmline.processes import ProgressCallback
from warmline.recordings import identify
from warmline.recordings.metadata import MetadataTable, read_metadata, read_table
from warmline.recordings.remote import RemoteFile, fetch, file_system
from warmline.recordings.sound import scratch_folder
from warmline.settings import RecordingSettings, RedactionSettings, Settings

# Copies of remote recordings while they are analyzed: private, and removed afterwards.


COPY = "warmline-call-"  # how the name of a copy's folder begins


# Ingest remote recordings: fetch them, identify them by their bytes, and skip those known.


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
        return fetch(self.file, self._kept.enter_context(private_folder(scratch, COPY)))

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
        metadata = read_metadata(
            call.source, self.settings, table, self.redaction, call.metadata_before
        )
        return base_analysis(call.recording, metadata, status, code, reason)


def _is_there(path: str, file: RemoteFile) -> bool:
    """Return whether another recording still exists; at a place that cannot be reached, it may."""
    if "://" not in path:
        return is_there(path) is not False
    if path.partition("://")[0] != file.source.partition("://")[0]:
        return True
    try:
        fs, _ = file_system(file.source)
        return bool(fs.exists(fs._strip_protocol(path)))
    except Exception:  # whatever a file system of the user's choice may raise
        return True


@dataclass(frozen=True)
class RunConfig:
    """The configuration of a run, for every call. `metadata` is the path of a CSV, if any."""

    cache_keys: CacheKeys
    landing: str
    metadata: str | None = None

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return self.cache_keys.settings


# What may be gone at the next try: a share that was offline, memory that another job used.
_PASSING_FAULTS = frozenset({"io_error", "out_of_memory", "process_died"})


@dataclass(frozen=True)
class Outcome:
    """How one call ended, without a word of what was said in it.

    `audio_s` is the recording's length, None if unknown; `wall_s` the time its stages took;
    `reused` the names of the stages that were taken over from an earlier analysis.
    """

    path: str
    call_id: str
    status: Status
    code: str | None
    reason: str | None
    audio_s: float | None
    wall_s: float
    reused: tuple[str, ...] = ()

    @property
    def may_pass(self) -> bool:
        """Tell whether the call failed by a fault that another try may not meet."""
        return self.status is Status.FAILED and self.code in _PASSING_FAULTS


class _WorkerState:
    """The state that one process keeps between calls: the models, the metadata table."""

    def __init__(self, config: RunConfig) -> None:
        secret = config.settings.encryption  # this may be another machine than the one that ordered
        look_for_key(secret.key_env, secret.key_file)
        self.cache_keys = config.cache_keys
        self.landing = Path(config.landing)
        self._metadata = config.metadata

    @cached_property
    def engines(self) -> Engines:
        return Engines.from_settings(self.cache_keys.settings)

    @cached_property
    def remote_ingest(self) -> RemoteIngest:
        known = cache(partial(landing.known, self.landing))
        chosen = self.cache_keys.settings
        return RemoteIngest(self.landing, chosen.recordings, self.table, known, chosen.redaction)

    @cached_property
    def table(self) -> MetadataTable | None:
        return read_table(Path(self._metadata)) if self._metadata else None


@lru_cache(maxsize=1)
def _worker_state(config: RunConfig) -> _WorkerState:
    return _WorkerState(config)


def analyze_calls(
    config: RunConfig, calls: Sequence[PlannedCall], progresses: Sequence[ProgressCallback]
) -> list[Outcome]:
    """Analyze a batch of calls with what this process has loaded before; each lands as it ends.

    Raises `WarmlineError` for what would befall every call: a model that is missing, a landing
    folder that cannot be written.
    """
    state = _worker_state(config)
    outcomes: dict[str, Outcome] = {}
    pending: list[tuple[PlannedCall, CallInput]] = []
    with ExitStack() as copies:
        for call, progress in zip(calls, progresses, strict=True):
            found = _prepare(state, call, progress, copies)
            if isinstance(found, CallAnalysis):
                if found.reason_code != FORGOTTEN:
                    land(found, state.landing, call)
                outcomes[call.path] = outcome_of(found)
            else:
                pending.append(found)
        inputs = [given for _, given in pending]
        for i, analysis in analyze_recordings(inputs, state.cache_keys, state.engines, state.table):
            call, given = pending[i]
            land(analysis, state.landing, call)
            outcomes[call.path] = outcome_of(analysis, given.previous)
    return [outcomes[call.path] for call in calls]


def _prepare(
    state: _WorkerState, call: PlannedCall, progress: ProgressCallback, copies: ExitStack
) -> tuple[PlannedCall, CallInput] | CallAnalysis:
    """Return a call with what its analysis needs, or the analysis of one that needs no more.

    A copy of a remote recording is gone when `copies` is closed.
    """
    if call.remote is None:
        return call, CallInput(
            Path(call.path), _previous(state.landing, call), progress, call.takes_row
        )
    fetched = RemoteCopy(call.remote, state.cache_keys.settings.recordings, copies)
    found = state.remote_ingest.take_in(call, fetched)
    if isinstance(found, CallAnalysis):
        return found
    remote = Remote(call.remote, found.recording.audio_sha256, fetched.again)
    return found, CallInput(remote, _previous(state.landing, found), progress, call.takes_row)


def land(analysis: CallAnalysis, landing_dir: Path, call: PlannedCall) -> None:
    """Land what came of a call, but never a failure in place of an analysis that is there.

    That one stays, and how often it could not be done again is noted in it, unless the source was
    away. One that is damaged, or was removed, is not there.
    """
    earlier = call.previous
    failed_runs = 0
    if analysis.status is Status.FAILED:
        failed_runs = 1 + (earlier.failed_runs if earlier else 0)
        if earlier and earlier.status is Status.ANALYZED:
            if analysis.reason_code == "io_error":
                return
            with suppress(LandingError):
                analysis = landing.read_landed(landing_dir, earlier)
                analysis = dated_after(analysis, analysis.analyzed_at)
    dated = dated_after(analysis, call.after)
    landing.write(replace(dated, failed_runs=failed_runs), landing_dir)


def outcome_of(analysis: CallAnalysis, previous: CallAnalysis | None = None) -> Outcome:
    """Sum up an analysis; `previous` is the one whose stages it could take over."""
    before = previous.stage_keys if previous else ()
    return Outcome(
        path=analysis.recording.path,
        call_id=analysis.metadata.call_id,
        status=analysis.status,
        code=analysis.reason_code,
        reason=analysis.reason,
        audio_s=analysis.duration_s,
        wall_s=sum(key.seconds for key in analysis.stage_keys if key not in before),
        reused=tuple(key.stage for key in analysis.stage_keys if key in before),
    )


def _previous(landing_dir: Path, call: PlannedCall) -> CallAnalysis | None:
    """Return the earlier analysis; None as well when it was removed since the plan was made."""
    if call.previous is None:
        return None
    try:
        found = landing.read_landed(landing_dir, call.previous)
    except LandingError:
        return None
    anew = call.redo
    if found.words_erased_at is not None:  # what rests on words cannot be taken over without them
        anew = anew | with_later({"words"})
    kept = tuple(key for key in found.stage_keys if key.stage not in anew)
    return replace(found, stage_keys=kept)


# What came of a run, in counts: never a word that was said.


@dataclass(frozen=True)
class RunSummary:
    """A run in counts. `wall_s` is the time it took as a whole."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    wall_s: float

    @property
    def by_status(self) -> dict[str, int]:
        """Calls by how they ended, copies of others included."""
        counts = Counter(outcome.status.value for outcome in self.outcomes)
        counts[Status.DUPLICATE.value] = sum(not d.has_landed for d in self.plan.duplicates)
        return {status.value: counts[status.value] for status in Status}

    @property
    def by_reason(self) -> dict[str, int]:
        """Calls without an analysis by the code of the reason, the most frequent first."""
        return dict(Counter(o.code for o in self.outcomes if o.code).most_common())

    @property
    def paths(self) -> list[str]:
        """Return all recordings of the run, whatever became of them."""
        done = (outcome.path for outcome in self.outcomes)
        copies = (duplicate.recording.path for duplicate in self.plan.duplicates)
        return [*self.plan.unchanged, *self.plan.given_up, *done, *copies]

    @property
    def failed(self) -> int:
        """Calls that failed by a fault, and that the next run tries again."""
        return self.by_status[Status.FAILED]

    @property
    def audio_s(self) -> float:
        """Length of all recordings that could be heard."""
        return sum(outcome.audio_s or 0.0 for outcome in self.outcomes)

    @property
    def times_real_time(self) -> float | None:
        """Return the seconds of sound per second of work; None when nothing was heard."""
        return self.audio_s / self.wall_s if self.audio_s and self.wall_s else None

    def as_dict(self) -> dict[str, object]:
        """Return the summary as plain values for a machine to read."""
        return {
            "calls": self.by_status | {"unchanged": self.plan.done_before},
            "reasons": self.by_reason,
            "given_up": len(self.plan.given_up),
            "unfinished_files": len(self.plan.unfinished),
            "forgotten": len(self.plan.forgotten),
            "opted_out": len(self.plan.opted_out),
            "audio_s": round(self.audio_s, 1),
            "wall_s": round(self.wall_s, 1),
            "problems": list(self.plan.problems),
        }
