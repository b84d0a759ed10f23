"""The frozen values that pass between the stages of an analysis.

Times are seconds on the call's own clock, `0.0` being the first sample of the recording. A party is
a label (`"A"`, `"B"`, ...) assigned in channel order, or in order of first speech when the parties
were separated by voice. What a party *is* (agent, customer) is a separate value, `Role`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class SpeakerSource(StrEnum):
    """How the parties of a call were told apart: by channel or by voice."""

    CHANNEL = "channel"
    DIARIZATION = "diarization"
    NONE = "none"


class RoleName(StrEnum):
    """The role of a party. `UNKNOWN` is an answer: it is never replaced by a guess."""

    AGENT = "agent"
    CUSTOMER = "customer"
    IVR = "ivr"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Span:
    """A span of time in a call; the base of everything that has a start and an end."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Return the length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Recording:
    """A file that holds one call. `audio_sha256` is the digest of the file's bytes."""

    path: str
    size_bytes: int
    modified_at: datetime
    audio_sha256: str


@dataclass(frozen=True)
class CallMetadata:
    """The metadata of a call: all that is known apart from its sound.

    `channel_roles` maps a channel number (as text, `"0"`) to a role name. `extra` keeps every field
    that has no column of its own. `source` says where it came from: `sidecar`, `csv`, `file_name`
    or several joined by `+`, in order of precedence.
    """

    call_id: str
    agent_id: str | None = None
    team: str | None = None
    queue: str | None = None
    customer_id: str | None = None
    started_at: datetime | None = None
    direction: str | None = None
    reason: str | None = None
    language: str | None = None
    is_simulated: bool = False
    channel_roles: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    source: str = "none"


@dataclass(frozen=True)
class ChannelCopy:
    """A dropped channel that holds the same voices as another; both by the file's own numbers."""

    dropped: int
    kept: int


@dataclass(frozen=True)
class ChannelLayout:
    """How many voices can be told apart by channel.

    `kind` is `mono`, `stereo` (each channel is a speaker) or `fake_stereo` (both voices on both
    channels, treated as mono). `similarity` is the measure that decided, 0..1, None for one
    channel. `kept` holds the file's own numbers of the channels that are kept, in order: party "A"
    of a `stereo` call is channel `kept[0]`. `copies` names the channels that were dropped because
    they repeat others.
    """

    kind: str
    channel_count: int
    similarity: float | None
    reason: str
    kept: tuple[int, ...] = ()
    copies: tuple[ChannelCopy, ...] = ()

    @property
    def lacks_a_party(self) -> bool:
        """Return whether the recording has several channels, of which only one carries a voice."""
        return self.kind == "mono" and self.channel_count > 1


@dataclass(frozen=True)
class SpeechSegment(Span):
    """A segment of one party's voice activity, with gaps below the bridging threshold closed."""

    party: str


@dataclass(frozen=True)
class ToneSegment(Span):
    """A segment of sound that is neither speech nor silence: hold music, tones, ringing (see
    `kind`).
    """

    kind: str


@dataclass(frozen=True)
class Speech:
    """Who spoke when. `segments` may overlap between parties; `exclusive` never does.

    `audible` is `exclusive` (with one channel per party, `segments`) padded with the faint sound at
    its edges, in which a word may begin or end: it is what the recogniser is given. `confidence`
    (0..1) is that of the separation of parties: 1.0 for two real channels.
    """

    source: SpeakerSource
    parties: tuple[str, ...]
    segments: tuple[SpeechSegment, ...]
    exclusive: tuple[SpeechSegment, ...]
    tones: tuple[ToneSegment, ...]
    confidence: float
    reason: str
    audible: tuple[SpeechSegment, ...] = ()


@dataclass(frozen=True)
class Word(Span):
    """One recognised word. `probability` is the recogniser's own, 0..1."""

    party: str
    text: str
    probability: float


@dataclass(frozen=True)
class Utterance(Span):
    """The recogniser's result for one segment of a party's speech, with its confidence values."""

    party: str
    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


@dataclass(frozen=True)
class Transcript:
    """All words of a call in order of start. `dropped` counts rejected words by filter."""

    language: str | None
    language_probability: float | None
    words: tuple[Word, ...]
    utterances: tuple[Utterance, ...]
    dropped: dict[str, int]


@dataclass(frozen=True)
class Redaction(Span):
    """A part of a party's words that a placeholder stands for; nothing of what was said.

    `kind` is one of `redaction.kinds`; parts that belong to one value (a number said in groups)
    share `value_index`, from 0.
    """

    party: str
    kind: str
    value_index: int


@dataclass(frozen=True)
class Role:
    """The role of a party, the confidence in it (0..1), and the reason."""

    party: str
    name: RoleName
    confidence: float
    source: str
    reason: str


@dataclass(frozen=True)
class Turn(Span):
    """The words of one party until another takes the floor. Backchannels do not end a turn.

    `speech_s` is voice activity inside the turn; `word_count` counts recognised words. `index` is
    the position in the call, from 0.
    """

    index: int
    party: str
    role: RoleName
    text: str
    word_count: int
    speech_s: float


@dataclass(frozen=True)
class Conversation:
    """The call as turns between parties whose roles are known or stated to be unknown."""

    roles: tuple[Role, ...]
    turns: tuple[Turn, ...]

    def role_of(self, party: str) -> RoleName:
        """Return the role of a party, `UNKNOWN` if it has none."""
        return next((r.name for r in self.roles if r.party == party), RoleName.UNKNOWN)

    def party_of(self, role: RoleName) -> str | None:
        """Return the party that has this role, or None when no party or more than one has it."""
        found = [r.party for r in self.roles if r.name is role]
        return found[0] if len(found) == 1 else None

    @property
    def role_confidence(self) -> float | None:
        """Return the lower of the agent's and the customer's confidence; None unless both are
        known.
        """
        known = {r.name: r.confidence for r in self.roles}
        if RoleName.AGENT not in known or RoleName.CUSTOMER not in known:
            return None
        return min(known[RoleName.AGENT], known[RoleName.CUSTOMER])


# Arithmetic on spans of time, in time linear in their number.


def union(spans: Iterable[Span], bridge_s: float = 0.0) -> list[Span]:
    """Return the spans covered by any of `spans`; gaps shorter than `bridge_s` are closed."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start_s, s.end_s)):
        if span.end_s <= span.start_s:
            continue
        gap_s = span.start_s - joined[-1].end_s if joined else None
        if gap_s is not None and (gap_s <= 0 or gap_s < bridge_s):
            joined[-1] = Span(joined[-1].start_s, max(joined[-1].end_s, span.end_s))
        else:
            joined.append(Span(span.start_s, span.end_s))
    return joined


def intersect(left: Iterable[Span], right: Iterable[Span]) -> list[Span]:
    """Return the spans covered by both."""
    a, b = union(left), union(right)
    common: list[Span] = []
    i = j = 0
    while i < len(a) and j < len(b):
        start_s, end_s = max(a[i].start_s, b[j].start_s), min(a[i].end_s, b[j].end_s)
        if start_s < end_s:
            common.append(Span(start_s, end_s))
        if a[i].end_s <= b[j].end_s:
            i += 1
        else:
            j += 1
    return common


def gaps(spans: Iterable[Span], start_s: float, end_s: float) -> list[Span]:
    """Return the spans between `start_s` and `end_s` that none of `spans` covers."""
    free: list[Span] = []
    at_s = start_s
    for span in union(spans):
        if span.start_s >= end_s:
            break
        if span.start_s > at_s:
            free.append(Span(at_s, span.start_s))
        at_s = max(at_s, span.end_s)
    if at_s < end_s:
        free.append(Span(at_s, end_s))
    return free


def subtract(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """Return what is left of `spans` when every span of `holes` is cut out."""
    kept = union(spans)
    if not kept:
        return []
    return intersect(kept, gaps(holes, kept[0].start_s, kept[-1].end_s))


def total_s(spans: Iterable[Span]) -> float:
    """Return the seconds covered by any of `spans`."""
    return sum((s.duration_s for s in union(spans)), 0.0)
