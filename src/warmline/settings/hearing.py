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

    model_config = ConfigDict(frozen=True, extra="forbid")
    in_order: ClassVar[tuple[tuple[str, str], ...]] = ()

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        for lesser, greater in self.in_order:
            low, high = getattr(self, lesser), getattr(self, greater)
            if low > high:
                raise ValueError(f"{lesser} = {low} must not be more than {greater} = {high}")
        return self


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
        description="Folder for copies of remote recordings while they are analyzed; empty: in the "
        "user's cache folder.",
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
        if name != "UTC":
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError) as e:
                raise ValueError("not a time zone known on this machine, as Europe/Berlin") from e
        return name


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
        description="A channel that is not this loud (dBFS) for half a second in all has no voice.",
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
        default=0.5, ge=-1, le=1, description="A third voice must be this unlike the others."
    )
    further_voice_min_s: float = Field(
        default=4.0, ge=0, description="A third voice must speak at least this long."
    )
    min_confidence: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Below this confidence of diarization, party-level measures are suppressed.",
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
        ge=1,
        description="Windows decoded together, those of short calls beside each other included.",
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
        "int8 saves memory and makes no more errors, but takes twice the time of either.",
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
