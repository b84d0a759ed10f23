"""A batch of calls in the process that analyzes it: each is landed as it ends."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path

from warmline import landing
from warmline.analysis import CallAnalysis
from warmline.encryption import look_for_key
from warmline.engines import Engines
from warmline.errors import Status
from warmline.pipeline.analyze import CallInput, Remote, analyze_recordings
from warmline.pipeline.failures import PASSING_FAULTS, dated_after
from warmline.pipeline.plan import PlannedCall
from warmline.pipeline.remote_ingest import FORGOTTEN, RemoteCopy, RemoteIngest
from warmline.pipeline.stages import CacheKeys, with_later
from warmline.progress import ProgressCallback
from warmline.recordings.metadata import MetadataTable, read_table
from warmline.settings import Settings


@dataclass(frozen=True)
class RunConfig:
    """What is the same for every call of a run. `metadata` is the path of a CSV, if any."""

    cache_keys: CacheKeys
    landing: str
    metadata: str | None = None

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return self.cache_keys.settings


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
        return self.status is Status.FAILED and self.code in PASSING_FAULTS


class _WorkerState:
    """What one process keeps between calls: the models, the metadata table."""

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
    """Land what came of a call, but never a failure in place of an analysis that is there."""
    earlier = call.previous
    failed_runs = 0
    if analysis.status is Status.FAILED:
        if earlier and earlier.status is Status.ANALYZED:
            return
        failed_runs = 1 + (earlier.failed_runs if earlier else 0)
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
    except landing.LandingError:
        return None
    anew = call.redo
    if found.words_erased_at is not None:  # what rests on words cannot be taken over without them
        anew = anew | with_later({"words"})
    kept = tuple(key for key in found.stage_keys if key.stage not in anew)
    return replace(found, stage_keys=kept)
