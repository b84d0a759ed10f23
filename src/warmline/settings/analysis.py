"""Settings of the listening stages: from files to words."""

import re
from typing import ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

# The base of every table of settings.


class Section(BaseModel):
    """A frozen table of settings that refuses unknown keys.

    `in_order` names pairs of keys of which the first must not be more than the second.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    in_order: ClassVar[tuple[tuple[str, str], ...]] = ()

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        for lesser, greater in self.in_order:
            low, high = getattr(self, lesser), getattr(self, greater)
            if low > high:
                raise ValueError(f"{lesser} = {low} must not be more than {greater} = {high}")
        return self


def known_zone(name: str) -> str:
    """Return the name of a time zone as it is. Raises ValueError for one that is not known here."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as e:
        raise ValueError("not a time zone known on this machine, as Europe/Berlin") from e
    return name


class RecordingSettings(Section):
    """[recordings] finding, reading and naming."""

    in_order = (("min_duration_s", "max_duration_s"),)

    extensions: tuple[str, ...] = Field(
        default=(
            *("wav", "wave", "mp3", "m4a", "mp4", "aac", "ogg", "oga", "opus", "flac"),
            *("amr", "awb", "3gp", "gsm", "wma", "webm", "mkv", "mka", "mov", "avi"),
            *("au", "aif", "aiff", "w64"),
        ),
        description="File name extensions that are taken for recordings inside a folder.",
    )
    settle_s: float = Field(
        default=1.0,
        ge=0,
        description="A recording found in a folder that changed less than this ago may still be "
        "written to: it is waited for if that takes no more than 10 s, else left for the next run. "
        "Where uploads pause, 60 or more; 0: taken as it is. A file that is named is always taken.",
    )
    scratch: str = Field(
        default="",
        description="Folder for copies of remote recordings and for the sound of long calls while "
        "they are analyzed; empty: in the user's cache folder.",
    )
    follow_links: bool = Field(
        default=False,
        description="Follow symbolic links that lead out of a source folder, and, of JSON beside a "
        "recording, out of that recording's folder; if not, they are refused and named. Links "
        "inside are always followed, and so is what is named itself.",
    )
    min_duration_s: float = Field(
        default=2.0, ge=0, description="Shorter recordings are refused as too short."
    )
    max_duration_s: float = Field(
        default=14400.0, gt=0, description="Longer recordings are refused (4 hours)."
    )
    max_channels: int = Field(
        default=6, ge=1, le=64, description="Recordings with more channels are refused."
    )
    max_missing_share: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="A recording that lacks more than this of what its header promises is refused.",
    )
    silence_db: float = Field(
        default=-70.0,
        le=0,
        description="A recording that is never louder than this (dBFS over 0.1 s) is refused.",
    )
    name_patterns: tuple[str, ...] = Field(
        default=(
            r"(?P<call_id>.*_GUID_\w+?)_AGENT_(?P<agent_id>[^_]+)_DT_(?P<started_at>[0-9T-]+).*",
        ),
        description="Regular expressions tried on the file's stem; named groups become metadata.",
    )
    timezone: str = Field(
        default="UTC",
        description="IANA time zone of start times that carry none. Stored times are UTC.",
    )
    pseudonym_key_file: str = Field(
        default="",
        description="File with a key (`warmline key new`) by which agents' names in metadata "
        "become pseudonyms before anything is kept; empty: names stay.",
    )
    pseudonym_key_env: str = Field(
        default="",
        pattern=r"^\w*$",
        description="Or the environment variable that holds it; empty: none.",
    )

    @field_validator("name_patterns")
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as e:
                raise ValueError(f"{pattern!r} is not a regular expression: {e}") from e
        return patterns

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        return name if name == "UTC" else known_zone(name)


class ChannelSettings(Section):
    """[channels] whether two channels are two people."""

    fake_stereo_similarity: float = Field(
        default=0.4,
        gt=0,
        le=1,
        description="Two channels hold the same voices when each voice is heard on the other's "
        "channel at more than this share of its amplitude: 0.4 is 8 dB weaker. Two people measure "
        "0.00 to 0.25 (crosstalk of -12 dB), copies 0.6 to 1.00.",
    )
    voice_level_db: float = Field(
        default=-55.0,
        le=0,
        description="A channel that is not this loud (dBFS) for half a second in all has no voice, "
        "unless the loudest channel is fainter than 15 dB above it: then it is 15 dB below that.",
    )
    voice_range_db: float = Field(
        default=6.0,
        ge=0,
        description="A channel whose level varies less than this is steady noise, not a voice.",
    )


class SpeechSettings(Section):
    """[speech] voice activity and telling the parties apart."""

    in_order = (("offset", "onset"), ("audible_offset", "audible_onset"))

    bridge_gap_s: float = Field(
        default=0.2, ge=0, description="Pauses of a party shorter than this are speech."
    )
    min_speech_s: float = Field(
        default=0.1, ge=0, description="Shorter bursts of activity are not speech."
    )
    segmentation_step_s: float = Field(
        default=5.0, gt=0, le=10, description="Step of the 10 s segmentation windows."
    )
    expected_parties: int = Field(
        default=0, ge=0, description="Number of voices in a mono call; 0 = decide from the sound."
    )
    max_parties: int = Field(
        default=4, ge=1, description="At most this many voices in a mono call."
    )
    leakage_db: float = Field(
        default=20.0,
        gt=0,
        description="Speech on a channel is the other party's where that one is this much louder.",
    )
    onset: float = Field(
        default=0.7, ge=0, le=1, description="Speech starts above this probability."
    )
    offset: float = Field(
        default=0.5, ge=0, le=1, description="Speech ends below this probability."
    )
    audible_onset: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="The recogniser hears what comes before speech from above this probability.",
    )
    audible_offset: float = Field(
        default=0.4,
        ge=0,
        le=1,
        description="The recogniser hears what comes after speech until below this probability.",
    )
    min_stretch_s: float = Field(
        default=0.25, ge=0, description="A voice that changes for less than this has not changed."
    )
    one_voice_margin: float = Field(
        default=0.2, description="Below this margin of the clustering, one voice is possible."
    )
    one_voice_share: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="One voice is concluded if fewer windows than this share hold two.",
    )
    further_voice_cosine: float = Field(
        default=0.58, ge=-1, le=1, description="A third voice must be this unlike the others."
    )
    further_voice_min_s: float = Field(
        default=2.0, ge=0, description="A third voice must speak at least this long."
    )
    min_confidence: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Below this confidence of telling parties apart, nothing is said of one alone.",
    )


class WordSettings(Section):
    """[words] transcription."""

    engine: Literal["openai-whisper", "faster-whisper"] = Field(
        default="openai-whisper",
        description="What runs Whisper; faster-whisper comes with `pip install 'warmline[fast]'`.",
    )
    whisper_model: str = Field(default="base", description="Any openai-whisper model name.")
    language: str = Field(
        default="auto", description="ISO code of the language spoken, or auto to detect it."
    )
    batch_size: int = Field(
        default=8,
        ge=0,
        description="Windows decoded together, those of short calls beside each other included. "
        "0: on a GPU as many as its free memory holds, 128 at most; 8 elsewhere.",
    )
    beam_size: int = Field(
        default=5,
        ge=1,
        le=20,
        description="Readings of a window that are kept in the running; 1 is greedy, and faster.",
    )
    precision: str = Field(
        default="auto",
        pattern="^(auto|float32|bfloat16|int8)$",
        description="Arithmetic on the CPU. auto: bfloat16 if the processor has it, else float32. "
        "int8 (on x86) saves memory; it takes about the time of float32, and may mishear more.",
    )
    vocabulary: str = Field(
        default="",
        description="File of names and terms of the centre, one a line (# begins a comment), that "
        "the recogniser is to expect; empty: none.",
    )
    vocabulary_weight: float = Field(
        default=2.0,
        ge=0,
        le=10,
        description="What each token of such a term adds to the log-probability of a text; with "
        "more, they are heard more often, also where nobody said them.",
    )
    min_avg_logprob: float = Field(
        default=-1.2, description="Windows recognised with less are dropped as unintelligible."
    )
    max_no_speech_prob: float = Field(
        default=0.85, ge=0, le=1, description="Windows above this are dropped if also improbable."
    )
    max_compression_ratio: float = Field(
        default=2.4, gt=1, description="Text that repeats itself more than this is a loop: dropped."
    )


# Settings of the measuring stages: turns, prosody, floor, language, empathy.


class TurnSettings(Section):
    """[turns] turns and roles."""

    max_pause_s: float = Field(
        default=2.0, gt=0, description="A longer silence ends a turn even if nobody else speaks."
    )
    phrase_pause_s: float = Field(
        default=0.5, ge=0, description="Stretches of a party this close are one utterance."
    )
    backchannel_max_s: float = Field(
        default=1.0, gt=0, description="Longest utterance that can be a backchannel, not a turn."
    )
    resume_within_s: float = Field(
        default=1.0,
        gt=0,
        description="A backchannel in a pause: the other paused, and speaks on, within this.",
    )
    min_wordless_s: float = Field(
        default=0.3, ge=0, description="Speech without recognised words this long is a turn."
    )
    min_role_confidence: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="Roles inferred from the words with less confidence stay unknown.",
    )


class ProsodySettings(Section):
    """[prosody] pitch, level and rate."""

    pitch_floor_hz: float = Field(
        default=65.0, ge=40, le=200, description="Lowest pitch looked for."
    )
    pitch_ceiling_hz: float = Field(
        default=500.0, ge=300, le=1000, description="Highest pitch looked for."
    )
    hop_s: float = Field(
        default=0.01, ge=0.002, le=0.05, description="Step of the pitch and level tracks."
    )
    min_turn_s: float = Field(
        default=0.5, gt=0, description="Turns with less speech than this have no prosody."
    )
    min_voiced_s: float = Field(
        default=0.2, gt=0, description="Turns with less voiced speech than this have no pitch."
    )
    min_reference_s: float = Field(
        default=1.0, gt=0, description="A party with less voiced speech than this has no pitch."
    )
    min_rate_words: int = Field(
        default=3, ge=1, description="Turns with fewer words than this have no rate."
    )
    min_turns: int = Field(
        default=5, ge=2, description="Fewer measured turns of a party have no spread and no heat."
    )
    heated_sd: float = Field(
        default=1.0, gt=0, description="Customer's level or rate this many SD up is heat."
    )
    heated_min_level_db: float = Field(
        default=1.0, ge=0, description="And at least this much louder than the mean, to be heard."
    )
    heated_min_rate: float = Field(
        default=1.05, ge=1, description="Or at least this many times as fast as the mean."
    )


class FloorSettings(Section):
    """[floor] who holds the floor, who takes it (definitions: docs/metrics.md)."""

    in_order = (("dead_air_s", "long_dead_air_s"),)

    dead_air_s: float = Field(default=2.0, gt=0, description="Silence of all parties this long.")
    long_dead_air_s: float = Field(default=5.0, gt=0, description="Silence counted as long.")
    hold_s: float = Field(
        default=5.0, gt=0, description="Music or tones for this long are a hold, not dead air."
    )
    backchannel_max_s: float = Field(
        default=1.0, gt=0, description="Longest entry that is a backchannel, the holder going on."
    )
    terminal_overlap_s: float = Field(
        default=0.3, gt=0, description="An overlap that starts this close to the holder's end."
    )
    interruption_overlap_s: float = Field(
        default=0.3, gt=0, description="Least overlap of an interruption."
    )
    interruption_entrant_s: float = Field(
        default=1.0, gt=0, description="Least speech of the one who interrupts."
    )
    simultaneous_s: float = Field(
        default=0.2,
        ge=0,
        description="One who starts this soon after the other's turn began entered nobody's floor.",
    )
    yield_within_s: float = Field(
        default=1.0, gt=0, description="An interruption succeeds if the holder stops within this."
    )


class LanguageSettings(Section):
    """[language] rules and models that read the words."""

    rules_folder: str = Field(
        default="",
        description="A folder with rule files of your own, read after the built-in ones.",
    )
    models: bool = Field(
        default=True,
        description="Read the words with trained models besides the rules; they have to be stored.",
    )


class EmpathySettings(Section):
    """[empathy] the opportunity ledger."""

    answer_within_turns: int = Field(
        default=2, ge=1, description="Agent turns after a cue in which an answer counts."
    )
    action_within_turns: int = Field(
        default=3, ge=1, description="Turns after an affective statement in which action counts."
    )
    min_cue_strength: float = Field(
        default=0.5, ge=0, le=1, description="Weaker cues are not opportunities."
    )
    min_feeling: float = Field(
        default=0.58,
        ge=0,
        le=1,
        description="Least probability of a feeling in a turn of the ledger; the default was right "
        "in about three of four turns of support chats.",
    )
    offer_after_cue_turns: int = Field(
        default=4, ge=1, description="An offer this soon after an unanswered cue is misplaced."
    )
    strong_answer: float = Field(
        default=0.75,
        ge=0,
        le=1,
        description="An answer recognised with this strength is specific: level 2, not 1.",
    )
    opening_turns: int = Field(
        default=3, ge=1, description="An agent's first turns; apologies after them are late."
    )
    edge_share: float = Field(
        default=0.25,
        gt=0,
        lt=0.5,
        description="Share of the agents' words that opens the call, and share that closes it.",
    )
