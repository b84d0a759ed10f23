"""One analysis per call: everything that was heard and measured, as one frozen value.

It is what is written to disk (see `landing`) and what the warehouse is loaded from. The values here
are results of the measuring stages; those of the listening stages are in `values`. The value of a
measure (`Metric`) never travels without its counts, its reservations and its evidence.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from warmline import __version__
from warmline.errors import Status
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
class MetricDefinition:
    """The definition of a measure, loaded into the warehouse beside its values.

    `level` is `party` or `call`. `unit` is `s`, `share`, `count`, `per_min`, `dB`, `semitones`, ...
    `version` rises whenever the same call could get another value. `validated` says in a few words
    against what it was validated, or `no`.
    """

    name: str
    level: str
    unit: str
    definition: str
    source: str
    version: int = 1
    validated: str = "no"


@dataclass(frozen=True)
class Metric:
    """One measure of a call, or of one party in it.

    A rate is `numerator / denominator`; a count has its count in `numerator`; a median has
    `observations`. `coverage` (0..1) is the share of the relevant material that could be examined.
    `value is None` means that it cannot be measured, and `reason` says why: NULL is not zero.
    """

    name: str
    party: str | None
    value: float | None
    numerator: float | None = None
    denominator: float | None = None
    observations: int | None = None
    coverage: float = 1.0
    confidence: float = 1.0
    reason: str | None = None
    evidence: tuple[Span, ...] = ()


def rate(
    name: str,
    party: str | None,
    numerator: float,
    denominator: float,
    *,
    no_answer: str,
    coverage: float = 1.0,
    confidence: float = 1.0,
    evidence: tuple[Span, ...] = (),
) -> Metric:
    """Return a rate with its counts; without a denominator its value is None for the reason
    `no_answer`.
    """
    known = denominator > 0
    return Metric(
        name=name,
        party=party,
        value=numerator / denominator if known else None,
        numerator=numerator,
        denominator=denominator,
        coverage=coverage,
        confidence=confidence,
        reason=None if known else no_answer,
        evidence=evidence,
    )


def count(
    name: str,
    party: str | None,
    evidence: Sequence[Span],
    *,
    coverage: float = 1.0,
    confidence: float = 1.0,
) -> Metric:
    """Return a count of events, each of them in the evidence."""
    spans = tuple(Span(e.start_s, e.end_s) for e in evidence)
    n = float(len(spans))
    return Metric(
        name,
        party,
        n,
        numerator=n,
        observations=len(spans),
        coverage=coverage,
        confidence=confidence,
        evidence=spans,
    )


def missing_metric(name: str, party: str | None, reason: str) -> Metric:
    """Return a metric without a value, with the reason why it cannot be measured."""
    return Metric(name, party, None, coverage=0.0, confidence=0.0, reason=reason)


def suppress_parties(metrics: Iterable[Metric], reason: str) -> tuple[Metric, ...]:
    """Return the metrics with party-level values replaced by the reason; call-level ones stay."""
    return tuple(
        m
        if m.party is None
        else replace(
            m,
            value=None,
            numerator=None,
            denominator=None,
            observations=None,
            coverage=0.0,
            confidence=0.0,
            reason=reason,
            evidence=(),
        )
        for m in metrics
    )


@dataclass(frozen=True)
class TurnProsody:
    """How one turn sounded, relative to the same speaker's own call; None where it cannot be
    measured.

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
    """The reference for one party over the whole call: what "relative" is relative to."""

    party: str
    pitch_median_hz: float | None
    pitch_iqr_st: float | None
    level_median_db: float | None
    level_iqr_db: float | None
    loudness_lufs: float | None
    rate_median_words_per_s: float | None


@dataclass(frozen=True)
class Prosody:
    """The results of the prosody stage."""

    parties: tuple[PartyProsody, ...]
    turns: tuple[TurnProsody, ...]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Overlap(Span):
    """A span in which both parties speak.

    `kind` is `backchannel`, `terminal_overlap`, `interruption`, `other` or `unsure`. `holder` had
    the floor, `entrant` came in. `successful` and `cooperative` apply to interruptions only.
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
    """A span in which no party speaks. `kind`: `gap`, `dead_air` or `hold`."""

    kind: str


@dataclass(frozen=True)
class Backchannel(Span):
    """Short activity of one party inside the other's turn, found in the sound; the text confirms
    it.
    """

    party: str
    text: str | None


@dataclass(frozen=True)
class Floor:
    """The results of the floor stage: who held the floor, and how it changed hands."""

    overlaps: tuple[Overlap, ...]
    transfers: tuple[FloorTransfer, ...]
    silences: tuple[Silence, ...]
    backchannels: tuple[Backchannel, ...]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class Moment(Span):
    """Something that was said, and the rule or model that recognised it.

    `kind` is one of the kinds of the language stage (`cue`, `affective`, `attentive`, `cognitive`,
    `apology`, `question_open`, `commitment`, `offer`, `friction_repeat`, ...); `label` refines it
    (for a cue: `fear_anxiety`, ...). `rule` names the rule or model, `text` holds the words.
    `strength` is 0..1.
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
    """The feelings that one turn of a customer expresses, and the sentence (`text`) with the best
    evidence.

    `any_negative` and the four feelings are probabilities. `explicit` is the probability that an
    unpleasant feeling is put into words (a concern), `implicit` that it is only hinted at (a cue):
    together they make up `any_negative`. `rule` names the strongest rule, None where only a model
    recognised something; `model` is the model's own probability, None where no model read the
    words. `answer` and the fields after it are as in `Opportunity`: how an agent answered the turn.
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
class TurnEmpathy:
    """The scores of one turn of an agent, 0..1, those that `score_turns` gives of the same words.

    `empathy` is the whole; `affective`, `attentive`, `cognitive` and `dismissive` are kinds of
    answers, recognised by rules; the last three are the probabilities that an EPITOME mechanism is
    present at all, None where no model read the words.
    """

    turn_index: int
    empathy: float
    affective: float
    attentive: float
    cognitive: float
    dismissive: float
    emotional_reaction: float | None = None
    interpretation: float | None = None
    exploration: float | None = None


@dataclass(frozen=True)
class Opportunity(Span):
    """One row of the opportunity ledger: a customer's cue and how the agent answered it.

    `probability` is that of a feeling in the turn (`TurnFeelings`), `is_explicit` tells whether the
    feeling is put into words; both are None in older analyses. `answer` is `ignored`, `dismissed`,
    `minimal_acknowledgement` (a sorry in passing), `problem_solved_only`, `attentive`,
    `affective` or `cognitive`; None when the call ended, or the agent who heard the cue had no
    further turn. `level` is 0..2. `latency_s` runs from the end of the cue to the start of the
    answering turn, or of the answering words where that turn had begun before; it is never
    negative. `heard_by` is the party who should have answered, `heard_by_agent` which of the agents
    of the call that is, numbered from 1 as they come: two desks may share a party. The last two are
    VR-CoDES's codes of the answer: whether it takes up the words or the matter of the cue, and
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
    heard_by_agent: int | None = None
    answer_is_explicit: bool | None = None
    answer_gives_space: bool | None = None


@dataclass(frozen=True)
class Quote(Span):
    """The customer's own words, verbatim, with the reason why they are worth reading."""

    turn_index: int
    text: str
    cue: str


@dataclass(frozen=True)
class Empathy:
    """The results of the empathy stage. `no_ledger_reason` is set when there can be no ledger."""

    moments: tuple[Moment, ...]
    opportunities: tuple[Opportunity, ...]
    quotes: tuple[Quote, ...]
    metrics: tuple[Metric, ...]
    no_ledger_reason: str | None
    feelings: tuple[TurnFeelings, ...] = ()
    agent_turns: tuple[TurnEmpathy, ...] = ()


@dataclass(frozen=True)
class StageKey:
    """The cache key of one stage's result, and how long it took to compute."""

    stage: str
    key: str
    seconds: float


@dataclass(frozen=True)
class CallAnalysis:
    """Everything known about one recording. Parts are None for a call that was refused or failed.

    `reason_code` is a stable word for counting, `reason` the sentence for a person.
    `metric_versions` holds the version of each `MetricDefinition` at the time of measuring, so that
    a value by an old definition is never mistaken for one by a new definition. `failed_runs` counts
    the consecutive runs in which the call failed. `redactions` is None where nothing had to be
    redacted. After `words_erased_at`, if it is set, no word of the call is kept
    (`retention.words_days`). `peaks` are those of `level_peaks`, a channel each; none in analyses
    of before.
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
    peaks: tuple[bytes, ...] = ()


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


def dated_after(analysis: CallAnalysis, after: datetime | None) -> CallAnalysis:
    """Return the analysis, dated after the one it follows, even if the clock was set back.

    Of two analyses the newer counts; one that seemed older would be made again every night.
    """
    if after is None or analysis.analyzed_at > after:
        return analysis
    return replace(analysis, analyzed_at=after + timedelta(microseconds=1))
