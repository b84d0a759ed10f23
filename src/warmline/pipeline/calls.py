"""One call in a process of its own: analyzed, landed, and told of in a line."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from time import perf_counter

from warmline import landing
from warmline.analysis import CallAnalysis
from warmline.encryption import look_for_key
from warmline.engines import Engines
from warmline.errors import Status
from warmline.pipeline.analyze import analyze_recording
from warmline.pipeline.plan import PlannedCall
from warmline.pipeline.stages import Addressing
from warmline.pipeline.unanalyzed import PASSING_FAULTS, dated_after
from warmline.recordings.metadata import MetadataTable, read_table
from warmline.settings import Settings
from warmline.telling import Tell, nobody


@dataclass(frozen=True)
class Order:
    """What is the same for every call of a run. `metadata` is the path of a CSV, if any."""

    addressing: Addressing
    landing: str
    metadata: str | None = None

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return self.addressing.settings


@dataclass(frozen=True)
class Outcome:
    """How one call ended, without a word of what was said in it.

    `audio_s` is the recording's length, None if unknown; `wall_s` the time it took; `reused` the
    names of the stages that were taken over from an earlier analysis.
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
        """Whether the call failed by a fault that another try may not meet."""
        return self.status is Status.FAILED and self.code in PASSING_FAULTS


class _Desk:
    """What one process keeps between calls: the models, the metadata table."""

    def __init__(self, order: Order) -> None:
        secret = order.settings.encryption  # this may be another machine than the one that ordered
        look_for_key(secret.key_env, secret.key_file)
        self.addressing = order.addressing
        self.landing = Path(order.landing)
        self._metadata = order.metadata

    @cached_property
    def engines(self) -> Engines:
        return Engines.from_settings(self.addressing.settings)

    @cached_property
    def table(self) -> MetadataTable | None:
        return read_table(Path(self._metadata)) if self._metadata else None


@lru_cache(maxsize=1)
def _desk(order: Order) -> _Desk:
    return _Desk(order)


def analyze_call(order: Order, call: PlannedCall, tell: Tell = nobody) -> Outcome:
    """Analyze a call in this process, with what the process has loaded before, and land it.

    Raises `WarmlineError` for what would befall every call: a model that is missing, a landing
    folder that cannot be written.
    """
    desk = _desk(order)
    started = perf_counter()
    previous = _previous(desk.landing, call)
    analysis = analyze_recording(
        Path(call.path), desk.addressing, desk.engines, desk.table, previous, tell
    )
    land(analysis, desk.landing, call)
    return outcome_of(analysis, perf_counter() - started, previous)


def land(analysis: CallAnalysis, landing_dir: Path, call: PlannedCall) -> None:
    """Keep what came of a call, but never a failure in place of an analysis that is there."""
    earlier = call.previous
    failed_runs = 0
    if analysis.status is Status.FAILED:
        if earlier and earlier.status is Status.ANALYZED:
            return
        failed_runs = 1 + (earlier.failed_runs if earlier else 0)
    dated = dated_after(analysis, call.after)
    landing.write(replace(dated, failed_runs=failed_runs), landing_dir)


def outcome_of(
    analysis: CallAnalysis, wall_s: float, previous: CallAnalysis | None = None
) -> Outcome:
    """What is told of an analysis; `previous` is the one whose stages it could take over."""
    before = previous.stage_keys if previous else ()
    return Outcome(
        path=analysis.recording.path,
        call_id=analysis.metadata.call_id,
        status=analysis.status,
        code=analysis.reason_code,
        reason=analysis.reason,
        audio_s=analysis.duration_s,
        wall_s=wall_s,
        reused=tuple(key.stage for key in analysis.stage_keys if key in before),
    )


def _previous(landing_dir: Path, call: PlannedCall) -> CallAnalysis | None:
    """The earlier analysis; None as well when it was removed since the plan was made."""
    if call.previous is None:
        return None
    try:
        found = landing.read_landed(landing_dir, call.previous)
    except landing.LandingError:
        return None
    kept = tuple(key for key in found.stage_keys if key.stage not in call.redo)
    return replace(found, stage_keys=kept)
