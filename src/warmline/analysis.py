"""One analysis per call: everything that was heard and measured, as one frozen value.

It is what lands on disk (see `landing`) and what the warehouse is loaded from. The values here are
those that leave the measuring rooms; the listening rooms' are in `values`.
"""

from dataclasses import dataclass, field
from datetime import datetime

from warmline.errors import Status
from warmline.metrics import Metric
from warmline.values import (
    CallMetadata,
    ChannelLayout,
    Conversation,
    Recording,
    Redaction,
    RoleName,
    Span,
    Speech,
    Transcript,
)


@dataclass(frozen=True)
class TurnProsody:
    """How one turn sounded, relative to the same speaker's own call; None where it cannot be said.

    Pitch in semitones re the party's call median; `level_db` is dB re full scale, `level_rel_db`
    re the party's call median; rate in words per second of speech; `pause_share` of the turn.
    """

    turn_index: int
    party: str
    pitch_median_st: float | None
    pitch_iqr_st: float | None
    pitch_slope_st_per_s: float | None
    level_db: float | None
    level_rel_db: float | None
    rate_words_per_s: float | None
    pause_share: float | None
    spectral_tilt_db_per_octave: float | None
    voiced_share: float | None


@dataclass(frozen=True)
class PartyProsody:
    """One party's own reference over the whole call: what "relative" is relative to."""

    party: str
    pitch_median_hz: float | None
    pitch_iqr_st: float | None
    level_median_db: float | None
    level_iqr_db: float | None
    loudness_lufs: float | None
    rate_median_words_per_s: float | None


@dataclass(frozen=True)
class Prosody:
    """What leaves the prosody room."""

    parties: tuple[PartyProsody, ...]
    turns: tuple[TurnProsody, ...]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Overlap(Span):
    """Both speak. `kind`: `backchannel`, `terminal_overlap`, `interruption` or `other`.

    `holder` had the floor, `entrant` came in. `successful` and `cooperative` are said of
    interruptions only.
    """

    holder: str
    entrant: str
    kind: str
    successful: bool | None
    cooperative: bool | None


@dataclass(frozen=True)
class FloorTransfer:
    """A change of speaker. `offset_s` = start of the next minus end of the last; < 0 is overlap."""

    at_s: float
    from_party: str
    to_party: str
    offset_s: float


@dataclass(frozen=True)
class Silence(Span):
    """A stretch in which no party speaks. `kind`: `gap`, `dead_air` or `hold`."""

    kind: str


@dataclass(frozen=True)
class Backchannel(Span):
    """Short activity of one party inside the other's turn, from the sound; text confirms it."""

    party: str
    text: str | None


@dataclass(frozen=True)
class Floor:
    """What leaves the floor room: who held the floor, and how it changed hands."""

    overlaps: tuple[Overlap, ...]
    transfers: tuple[FloorTransfer, ...]
    silences: tuple[Silence, ...]
    backchannels: tuple[Backchannel, ...]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Moment(Span):
    """Something that was said and that a rule or a model recognised, with what recognised it.

    `kind` is one of the language room's kinds (`cue`, `affective`, `attentive`, `cognitive`,
    `apology`, `question_open`, `commitment`, `offer`, `friction_repeat`, ...); `label` refines it
    (for a cue: `fear_anxiety`, ...). `rule` names the rule or model, `text` the words. `strength`
    is 0..1.
    """

    kind: str
    label: str | None
    turn_index: int
    party: str
    role: RoleName
    text: str
    rule: str
    strength: float


@dataclass(frozen=True)
class TurnFeelings(Span):
    """What one turn of a customer lets be heard, and the sentence (`text`) that it rests on most.

    `any_negative` and the four feelings are probabilities. `explicit` is the probability that an
    unpleasant feeling is put into words (a concern), `implicit` that it is only hinted at (a cue):
    together they are `any_negative`. `rule` names the strongest rule, None where only a model
    speaks; `model` is the model's own probability, None where no model read the words. `answer`
    and what follows are as in `Opportunity`: how an agent answered the turn.
    """

    turn_index: int
    any_negative: float
    fear_anxiety: float
    anger_frustration: float
    sadness_disappointment: float
    confusion_powerlessness: float
    explicit: float
    implicit: float
    text: str
    rule: str | None = None
    model: float | None = None
    answer: str | None = None
    level: int | None = None
    answer_turn_index: int | None = None
    latency_s: float | None = None


@dataclass(frozen=True)
class Opportunity(Span):
    """One row of the opportunity ledger: a customer's cue and how the agent answered it.

    `probability` is that of a feeling in the turn (`TurnFeelings`), `is_explicit` says whether the
    feeling is put into words; both are None in analyses of before. `answer`: `ignored`,
    `dismissed`, `problem_solved_only`, `attentive`, `affective`, `cognitive`; None when the call
    ended, or no turn of the agent who heard it followed. `level` 0..2. `latency_s` is from the end
    of the cue to the start of the answering turn, or of the answering words where that turn had
    begun before; never negative. `heard_by` is the party whose cue it was to answer. The last two
    are VR-CoDES's codes of the answer: whether it takes up the words or the matter of the cue, and
    whether it gives space to it; None where `answer` is.
    """

    kind: str
    strength: float
    turn_index: int
    text: str
    rule: str
    answer: str | None
    level: int | None
    answer_turn_index: int | None
    answer_start_s: float | None
    answer_end_s: float | None
    answer_text: str | None
    answer_rule: str | None
    latency_s: float | None
    probability: float | None = None
    is_explicit: bool | None = None
    heard_by: str | None = None
    answer_is_explicit: bool | None = None
    answer_gives_space: bool | None = None


@dataclass(frozen=True)
class Quote(Span):
    """The customer's own words, verbatim, with what makes them worth reading."""

    turn_index: int
    text: str
    cue: str


@dataclass(frozen=True)
class Empathy:
    """What leaves the empathy room. `no_ledger_reason` is set when there can be no ledger."""

    moments: tuple[Moment, ...]
    opportunities: tuple[Opportunity, ...]
    quotes: tuple[Quote, ...]
    metrics: tuple[Metric, ...]
    no_ledger_reason: str | None
    feelings: tuple[TurnFeelings, ...] = ()


@dataclass(frozen=True)
class StageKey:
    """The content address of one stage's result, and how long it took to compute."""

    stage: str
    key: str
    seconds: float


@dataclass(frozen=True)
class CallAnalysis:
    """All that is known of one recording. Parts are None for a call that was refused or failed.

    `reason_code` is a stable word for counting, `reason` the sentence for a person.
    `metric_versions` has the version of each `MetricDefinition` when it was measured, so that an
    old value never passes for one of a newer rule. `failed_runs` counts the runs in a row that
    ended with the call failed. `redactions` is None where nothing was to be hidden. Since
    `words_erased_at`, if there is such a time, no word of it is kept (retention.words_days).
    """

    recording: Recording
    metadata: CallMetadata
    status: Status
    reason_code: str | None
    reason: str | None
    analyzed_at: datetime
    warmline_version: str
    models: dict[str, str]
    stage_keys: tuple[StageKey, ...]
    duration_s: float | None = None
    sample_rate_hz: int | None = None
    codec: str | None = None
    layout: ChannelLayout | None = None
    speech: Speech | None = None
    transcript: Transcript | None = None
    conversation: Conversation | None = None
    prosody: Prosody | None = None
    floor: Floor | None = None
    empathy: Empathy | None = None
    metric_versions: dict[str, int] = field(default_factory=dict)
    failed_runs: int = 0
    redactions: tuple[Redaction, ...] | None = None
    words_erased_at: datetime | None = None
