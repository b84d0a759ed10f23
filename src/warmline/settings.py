"""Every setting, its default, and what it means; one TOML file holds them all.

A section belongs to one room. The fingerprint of a section is part of the content address of the
stages that use it, so that a changed setting redoes those stages and no others.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from warmline.errors import SettingsError


class Section(BaseModel):
    """A frozen table of settings that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def fingerprint(self) -> str:
        """A digest of every value in the section."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class RecordingSettings(Section):
    """[recordings] finding, reading and naming."""

    extensions: tuple[str, ...] = Field(
        default=(
            *("wav", "wave", "mp3", "m4a", "mp4", "aac", "ogg", "oga", "opus", "flac"),
            *("amr", "awb", "3gp", "gsm", "wma", "webm", "mkv", "mka", "mov", "avi"),
            *("au", "aif", "aiff", "w64"),
        ),
        description="File name extensions that are taken for recordings inside a folder.",
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
    onset: float = Field(
        default=0.6, ge=0, le=1, description="Speech starts above this probability."
    )
    offset: float = Field(
        default=0.4, ge=0, le=1, description="Speech ends below this probability."
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
        description="Below this confidence of diarization, party-level measures are withheld.",
    )


class WordSettings(Section):
    """[words] transcription."""

    engine: str = Field(
        default="openai-whisper",
        pattern="^(openai-whisper|faster-whisper)$",
        description="openai-whisper, or faster-whisper if warmline[fast] is installed.",
    )
    whisper_model: str = Field(default="base", description="Any openai-whisper model name.")
    language: str = Field(
        default="auto", description="ISO code of the language spoken, or auto to detect it."
    )
    batch_size: int = Field(default=8, ge=1, description="Windows decoded together.")
    precision: str = Field(
        default="auto",
        pattern="^(auto|float32|bfloat16|int8)$",
        description="Arithmetic on the CPU. auto: bfloat16 if the processor has it. "
        "int8 saves memory but made a quarter more errors on telephone calls.",
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


class PlaceSettings(Section):
    """[places] where things are kept; ~ is allowed, relative paths start where you are."""

    landing: str = Field(
        default="",
        description="Folder of analyses, one file per call; empty: beside the warehouse.",
    )
    warehouse: str = Field(default="warehouse.duckdb", description="The DuckDB file.")
    models: str = Field(
        default="",
        description="Folder of model files; empty: WARMLINE_MODELS, else the user's cache folder.",
    )
    models_from: str = Field(
        default="", description="Folder to take model files from (a shared drive); empty: none."
    )
    model_sources: tuple[Literal["local", "publisher", "wheel"], ...] = Field(
        default=("local", "publisher", "wheel"),
        min_length=1,
        description="Where models are looked for, in this order; WARMLINE_MODEL_SOURCES overrides.",
    )


class NightSettings(Section):
    """[night] unattended runs."""

    sources: tuple[str, ...] = Field(
        default=(), description="Files and folders that `warmline nightly` analyzes."
    )
    metadata: str = Field(
        default="", description="CSV with a row per call for the night; empty: sidecars only."
    )
    cron: str = Field(default="0 2 * * *", description="When the night starts (cron, local time).")
    jobs: int = Field(
        default=1, ge=1, description="Calls analyzed at the same time, each in its own process."
    )
    retries: int = Field(default=2, ge=0, description="Further tries after a passing fault.")
    retry_delay_s: float = Field(default=10.0, ge=0, description="Wait before the first retry.")
    call_timeout_s: float = Field(
        default=3600.0, gt=0, description="A call that takes longer is given up."
    )


class Settings(Section):
    """All settings of warmline, by section."""

    places: PlaceSettings = Field(default_factory=PlaceSettings)
    recordings: RecordingSettings = Field(default_factory=RecordingSettings)
    channels: ChannelSettings = Field(default_factory=ChannelSettings)
    speech: SpeechSettings = Field(default_factory=SpeechSettings)
    words: WordSettings = Field(default_factory=WordSettings)
    turns: TurnSettings = Field(default_factory=TurnSettings)
    prosody: ProsodySettings = Field(default_factory=ProsodySettings)
    floor: FloorSettings = Field(default_factory=FloorSettings)
    language: LanguageSettings = Field(default_factory=LanguageSettings)
    empathy: EmpathySettings = Field(default_factory=EmpathySettings)
    night: NightSettings = Field(default_factory=NightSettings)


def load_settings(path: Path | None) -> Settings:
    """Settings from a TOML file, defaults where it is silent; None gives the defaults.

    Raises `SettingsError` naming the file and every key that is unknown or has a wrong value.
    """
    if path is None:
        return Settings()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise SettingsError(f"{path}: cannot read settings ({e.strerror})") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise SettingsError(f"{path}: not valid TOML: {e}") from e
    try:
        return Settings.model_validate(table)
    except ValidationError as e:
        raise SettingsError(f"{path}: " + "; ".join(map(_explain, e.errors()))) from e


def with_overrides(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with some values replaced, given by their key (`words.whisper_model`).

    Raises `SettingsError` naming every key whose value is not allowed.
    """
    table = settings.model_dump()
    for key, value in values.items():
        section, _, name = key.partition(".")
        table[section][name] = value
    try:
        return Settings.model_validate(table)
    except ValidationError as e:
        raise SettingsError("; ".join(map(_explain, e.errors()))) from e


def _explain(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key '{key}' (see `warmline settings` for all keys)"
    return f"{key} = {error['input']!r}: {error['msg']}"


def settings_toml(settings: Settings | None = None) -> str:
    """The whole settings file as TOML, every key with its meaning as a comment."""
    settings = settings or Settings()
    lines = ["# warmline settings; every key is optional and shown with its value."]
    for section_name in Settings.model_fields:
        section: Section = getattr(settings, section_name)
        heading = (type(section).__doc__ or "").split("] ", 1)[-1]
        lines += ["", f"[{section_name}]  # {heading}"]
        for key, info in type(section).model_fields.items():
            value = json.dumps(getattr(section, key), ensure_ascii=False)
            lines += [f"# {info.description}", f"{key} = {value}"]
    return "\n".join(lines) + "\n"
