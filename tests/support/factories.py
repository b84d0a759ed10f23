"""Small hand-built analyses for tests: every number in them is written out by the test itself.

    call("c-1", says=[("B", 0.0, 2.0, "How can I help"), ("A", 3.0, 6.0, "I am worried")],
         cues=[cue(1, 3.0, 6.0, "I am worried", "fear_anxiety", answer="affective")])

Party `A` is the customer and `B` the agent unless the test says otherwise.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from warmline.analysis import (
    Backchannel,
    CallAnalysis,
    Empathy,
    Floor,
    FloorTransfer,
    Metric,
    MetricDefinition,
    Moment,
    Opportunity,
    Overlap,
    PartyProsody,
    Prosody,
    Quote,
    Silence,
    StageKey,
    TurnProsody,
)
from warmline.errors import Status
from warmline.values import (
    CallMetadata,
    ChannelLayout,
    Conversation,
    Recording,
    Role,
    RoleName,
    SpeakerSource,
    Speech,
    SpeechSegment,
    Transcript,
    Turn,
    Utterance,
    Word,
)

ANALYZED_AT = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
STARTED_AT = datetime(2026, 11, 19, 10, 0, tzinfo=UTC)
CUSTOMER_AND_AGENT: dict[str, RoleName] = {"A": RoleName.CUSTOMER, "B": RoleName.AGENT}
NO_ROLES: dict[str, RoleName] = {"A": RoleName.UNKNOWN, "B": RoleName.UNKNOWN}

Said = tuple[str, float, float, str]


def sha(text: str) -> str:
    """A digest as a recording with these bytes would have."""
    return hashlib.sha256(text.encode()).hexdigest()


def recording(call_id: str, *, path: str | None = None, audio: str | None = None) -> Recording:
    """A recording; `audio` stands for its bytes, empty for one that could not be read."""
    content = call_id if audio is None else audio
    return Recording(
        path=path or f"/calls/{call_id}.wav",
        size_bytes=1000 + len(content),
        modified_at=STARTED_AT,
        audio_sha256=sha(content) if content else "",
    )


def turns_of(says: Sequence[Said], roles: Mapping[str, RoleName]) -> tuple[Turn, ...]:
    """A turn for each thing said."""
    return tuple(
        Turn(start, end, i, party, roles[party], text, len(text.split()), end - start)
        for i, (party, start, end, text) in enumerate(says)
    )


def words_of(says: Sequence[Said]) -> tuple[Word, ...]:
    """The words of each thing said, spread evenly over its time."""
    words = []
    for party, start, end, text in says:
        parts = text.split()
        step = (end - start) / max(len(parts), 1)
        words += [
            Word(start + i * step, start + (i + 1) * step, party, part, 0.9)
            for i, part in enumerate(parts)
        ]
    return tuple(sorted(words, key=lambda word: word.start_s))


def cue(
    turn_index: int,
    start_s: float,
    end_s: float,
    text: str,
    kind: str = "fear_anxiety",
    *,
    answer: str | None = "ignored",
    level: int | None = None,
    latency_s: float | None = None,
    answer_turn_index: int | None = None,
    strength: float = 0.9,
) -> Opportunity:
    """A row of the ledger; an answer of an empathic kind is level 1 unless said otherwise."""
    levels = {"affective": 1, "attentive": 1, "cognitive": 1}
    return Opportunity(
        start_s,
        end_s,
        kind,
        strength,
        turn_index,
        text,
        "rule",
        answer,
        levels.get(answer or "", 0) if level is None and answer else level,
        answer_turn_index,
        None,
        None,
        None,
        None,
        latency_s,
    )


def moment(
    kind: str,
    turn_index: int,
    start_s: float,
    end_s: float,
    text: str,
    *,
    party: str = "B",
    role: RoleName = RoleName.AGENT,
    label: str | None = None,
) -> Moment:
    """Something recognised in the words, said by the agent unless told otherwise."""
    return Moment(start_s, end_s, kind, label, turn_index, party, role, text, "rule", 1.0)


def measured(name: str, party: str | None, value: float, **counts: Any) -> Metric:
    """A measure with a value."""
    return Metric(name, party, value, **counts)


def definitions_of(analyses: Sequence[CallAnalysis]) -> tuple[MetricDefinition, ...]:
    """A definition for every measure that the analyses hold."""
    found = {
        metric.name: "call" if metric.party is None else "party"
        for analysis in analyses
        for metric in metrics_of(analysis)
    }
    return tuple(
        MetricDefinition(name, level, "1", f"{name} as the test wrote it", "test")
        for name, level in sorted(found.items())
    )


def metrics_of(analysis: CallAnalysis) -> tuple[Metric, ...]:
    """All measures of an analysis."""
    parts = (analysis.floor, analysis.prosody, analysis.empathy)
    return tuple(metric for part in parts if part is not None for metric in part.metrics)


def call(
    call_id: str = "call-1",
    *,
    path: str | None = None,
    audio: str | None = None,
    analyzed_at: datetime = ANALYZED_AT,
    says: Sequence[Said] = (("B", 0.0, 2.0, "how can I help"), ("A", 2.5, 5.0, "my card is lost")),
    roles: Mapping[str, RoleName] = CUSTOMER_AND_AGENT,
    source: SpeakerSource = SpeakerSource.CHANNEL,
    duration_s: float = 60.0,
    cues: Sequence[Opportunity] = (),
    moments: Sequence[Moment] = (),
    quotes: Sequence[Quote] = (),
    overlaps: Sequence[Overlap] = (),
    silences: Sequence[Silence] = (),
    transfers: Sequence[FloorTransfer] = (),
    backchannels: Sequence[Backchannel] = (),
    metrics: Sequence[Metric] = (),
    stages: Mapping[str, str] | None = None,
    **metadata: Any,
) -> CallAnalysis:
    """An analyzed call; further keywords are fields of its metadata."""
    turns = turns_of(says, roles)
    metadata.setdefault("started_at", STARTED_AT)
    known = RoleName.UNKNOWN not in roles.values()
    return CallAnalysis(
        recording=recording(call_id, path=path, audio=audio),
        metadata=CallMetadata(call_id, **metadata),
        status=Status.ANALYZED,
        reason_code=None,
        reason=None,
        analyzed_at=analyzed_at,
        warmline_version="0",
        models={"whisper": "base"},
        stage_keys=tuple(
            StageKey(stage, key, 1.0)
            for stage, key in (stages or {"speech": "s1", "words": "w1"}).items()
        ),
        duration_s=duration_s,
        sample_rate_hz=8000,
        codec="pcm_s16le",
        layout=ChannelLayout("stereo", 2, 0.1, "two voices"),
        speech=_speech_of(turns, source, roles),
        transcript=_transcript_of(says),
        conversation=_conversation_of(turns, roles, 1.0 if known else 0.0),
        prosody=_prosody_of(turns, roles),
        floor=Floor(
            tuple(overlaps), tuple(transfers), tuple(silences), tuple(backchannels), tuple(metrics)
        ),
        empathy=Empathy(
            tuple(moments), tuple(cues), tuple(quotes), (), None if known else "roles unknown"
        ),
        metric_versions={metric.name: 1 for metric in metrics},
    )


def _speech_of(
    turns: Sequence[Turn], source: SpeakerSource, roles: Mapping[str, RoleName]
) -> Speech:
    spoken = tuple(SpeechSegment(turn.start_s, turn.end_s, turn.party) for turn in turns)
    return Speech(source, tuple(roles), spoken, spoken, (), 1.0, "two channels")


def _transcript_of(says: Sequence[Said]) -> Transcript:
    utterances = (Utterance(s, e, party, text, -0.3, 0.01, 1.2) for party, s, e, text in says)
    return Transcript("en", 0.99, words_of(says), tuple(utterances), {"loop": 0})


def _conversation_of(
    turns: tuple[Turn, ...], roles: Mapping[str, RoleName], confidence: float
) -> Conversation:
    given = (Role(p, role, confidence, "metadata", "said so") for p, role in roles.items())
    return Conversation(tuple(given), turns)


def _prosody_of(turns: Sequence[Turn], roles: Mapping[str, RoleName]) -> Prosody:
    parties = (PartyProsody(party, 180.0, 3.0, -25.0, 4.0, -23.0, 3.0) for party in roles)
    of_turns = (
        TurnProsody(t.index, t.party, 0.0, 2.0, 0.1, -25.0, 0.0, 3.0, 0.1, -6.0, 0.6) for t in turns
    )
    return Prosody(tuple(parties), tuple(of_turns), ())


def without_analysis(
    call_id: str,
    *,
    status: Status = Status.REFUSED,
    code: str = "empty_file",
    reason: str = "the file has no bytes",
    path: str | None = None,
    audio: str = "",
    analyzed_at: datetime = ANALYZED_AT,
) -> CallAnalysis:
    """A recording that was refused, failed, has no speech, or has the bytes of another."""
    return CallAnalysis(
        recording=recording(call_id, path=path, audio=audio),
        metadata=CallMetadata(call_id),
        status=status,
        reason_code=code,
        reason=reason,
        analyzed_at=analyzed_at,
        warmline_version="0",
        models={},
        stage_keys=(),
    )
