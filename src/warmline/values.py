"""The frozen values that pass between the rooms of the house.

Times are seconds on the call's own clock, `0.0` being the first sample of the recording. A party
is a label (`"A"`, `"B"`, ...) given in channel order, or in order of first speech when the parties
were told apart by voice. What a party *is* (agent, customer) is a separate value, `Role`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class SpeakerSource(StrEnum):
    """How the parties of a call were told apart."""

    CHANNEL = "channel"
    DIARIZATION = "diarization"
    NONE = "none"


class RoleName(StrEnum):
    """What a party is. `UNKNOWN` is an answer: it is never replaced by a guess."""

    AGENT = "agent"
    CUSTOMER = "customer"
    IVR = "ivr"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Span:
    """A stretch of the call's clock; the base of everything that has a start and an end."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Recording:
    """A file that holds one call. `audio_sha256` is of the file's bytes."""

    path: str
    size_bytes: int
    modified_at: datetime
    audio_sha256: str


@dataclass(frozen=True)
class CallMetadata:
    """What is known of a call besides its sound.

    `channel_roles` maps a channel number (as text, `"0"`) to a role name. `extra` keeps every field
    that has no column of its own. `source` says where it came from: `sidecar`, `csv`, `file_name`
    or a `+`-joined mix, in order of precedence.
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
    """Channel `dropped` holds the same voices as channel `kept`; the file's own numbers."""

    dropped: int
    kept: int


@dataclass(frozen=True)
class ChannelLayout:
    """How many voices the channels can tell apart.

    `kind` is `mono`, `stereo` (channel is speaker) or `fake_stereo` (both voices on both channels,
    treated as mono). `similarity` is the measure that decided, 0..1, None for one channel. `kept`
    are the file's own numbers of the channels that are left, in order: party "A" of a `stereo` call
    is channel `kept[0]`. `copies` name the channels that were dropped because they repeat others.
    """

    kind: str
    channel_count: int
    similarity: float | None
    reason: str
    kept: tuple[int, ...] = ()
    copies: tuple[ChannelCopy, ...] = ()

    @property
    def lacks_a_party(self) -> bool:
        """Whether the recording has several channels and only one of them carries a voice."""
        return self.kind == "mono" and self.channel_count > 1


@dataclass(frozen=True)
class SpeechSegment(Span):
    """One stretch of a party's voice activity, gaps shorter than the bridge threshold closed."""

    party: str


@dataclass(frozen=True)
class ToneSegment(Span):
    """Non-speech sound that is not silence: hold music, tones, ringing. `kind` names it."""

    kind: str


@dataclass(frozen=True)
class Speech:
    """Who spoke when. `segments` may overlap between parties; `exclusive` never does.

    `audible` is `exclusive` (with a channel each, `segments`) with the faint sound at its edges, in
    which a word may begin or end: what a recogniser is given. `confidence` (0..1) is of the telling
    apart of the parties: 1.0 for two real channels.
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
    """What the recogniser gave for one stretch of a party's speech, with its own doubts."""

    party: str
    text: str
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


@dataclass(frozen=True)
class Transcript:
    """All words of a call in order of start. `dropped` counts words refused, by guard."""

    language: str | None
    language_probability: float | None
    words: tuple[Word, ...]
    utterances: tuple[Utterance, ...]
    dropped: dict[str, int]


@dataclass(frozen=True)
class Redaction(Span):
    """A stretch of a party's words that a placeholder stands for; nothing of what was said.

    `kind` is one of `redaction.kinds`; stretches of one value (a number said in groups) share
    `value_index`, from 0.
    """

    party: str
    kind: str
    value_index: int


@dataclass(frozen=True)
class Role:
    """What a party is, how sure that is (0..1), and why."""

    party: str
    name: RoleName
    confidence: float
    source: str
    reason: str


@dataclass(frozen=True)
class Turn(Span):
    """What one party says until another takes the floor. Backchannels do not end a turn.

    `speech_s` is voice activity inside the turn; `word_count` counts recognised words. `index` is
    the place in the call, from 0.
    """

    index: int
    party: str
    role: RoleName
    text: str
    word_count: int
    speech_s: float


@dataclass(frozen=True)
class Conversation:
    """The call as turns between parties whose roles are known or said to be unknown."""

    roles: tuple[Role, ...]
    turns: tuple[Turn, ...]

    def role_of(self, party: str) -> RoleName:
        """The role of a party, `UNKNOWN` for one that has none."""
        return next((r.name for r in self.roles if r.party == party), RoleName.UNKNOWN)

    def party_of(self, role: RoleName) -> str | None:
        """The party that has this role, or None when no party or more than one has it."""
        found = [r.party for r in self.roles if r.name is role]
        return found[0] if len(found) == 1 else None

    @property
    def role_confidence(self) -> float | None:
        """The lower of the agent's and the customer's confidence; None unless both are known."""
        known = {r.name: r.confidence for r in self.roles}
        if RoleName.AGENT not in known or RoleName.CUSTOMER not in known:
            return None
        return min(known[RoleName.AGENT], known[RoleName.CUSTOMER])
