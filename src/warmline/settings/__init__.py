"""Every setting, its default, and what it means; one TOML file holds them all.

A section belongs to one stage, and its values are part of the cache keys of the stages that use it,
so that a changed setting redoes those stages and no others.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from warmline.errors import SettingsError
from warmline.settings.analysis import (
    ChannelSettings,
    EmpathySettings,
    FloorSettings,
    LanguageSettings,
    ProsodySettings,
    RecordingSettings,
    Section,
    SpeechSettings,
    TurnSettings,
    WordSettings,
)
from warmline.settings.operation import (
    DisplaySettings,
    EncryptionSettings,
    NightSettings,
    PlaceSettings,
    ProfileSettings,
    RedactionSettings,
    RetentionSettings,
)

__all__ = [
    "ChannelSettings",
    "DisplaySettings",
    "EmpathySettings",
    "EncryptionSettings",
    "FloorSettings",
    "LanguageSettings",
    "NightSettings",
    "PlaceSettings",
    "ProfileSettings",
    "ProsodySettings",
    "RecordingSettings",
    "RedactionSettings",
    "RetentionSettings",
    "Section",
    "Settings",
    "SpeechSettings",
    "TurnSettings",
    "WordSettings",
    "load_settings",
    "settings_toml",
    "with_overrides",
]


class Settings(Section):
    """All settings of warmline, by section."""

    places: PlaceSettings = Field(default_factory=PlaceSettings)
    recordings: RecordingSettings = Field(default_factory=RecordingSettings)
    channels: ChannelSettings = Field(default_factory=ChannelSettings)
    speech: SpeechSettings = Field(default_factory=SpeechSettings)
    words: WordSettings = Field(default_factory=WordSettings)
    redaction: RedactionSettings = Field(default_factory=RedactionSettings)
    turns: TurnSettings = Field(default_factory=TurnSettings)
    prosody: ProsodySettings = Field(default_factory=ProsodySettings)
    floor: FloorSettings = Field(default_factory=FloorSettings)
    language: LanguageSettings = Field(default_factory=LanguageSettings)
    empathy: EmpathySettings = Field(default_factory=EmpathySettings)
    profile: ProfileSettings = Field(default_factory=ProfileSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    encryption: EncryptionSettings = Field(default_factory=EncryptionSettings)
    display: DisplaySettings = Field(default_factory=DisplaySettings)
    night: NightSettings = Field(default_factory=NightSettings)


def load_settings(path: Path | None) -> Settings:
    """Return settings from a TOML file, with defaults for missing keys; None gives the defaults.

    Raises `SettingsError` naming the file and every key that is unknown or has a wrong value.
    """
    if path is None:
        return Settings()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise SettingsError(f"{path}: cannot read settings ({e.strerror})") from e
    except (ValueError, RecursionError) as e:  # a number too long, brackets nested too deep
        raise SettingsError(f"{path}: not valid TOML: {e}") from e
    try:
        return Settings.model_validate(table)
    except ValidationError as e:
        raise SettingsError(f"{path}: " + "; ".join(map(_explain, e.errors()))) from e


def with_overrides(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Return the settings with some values replaced, given by their key (`words.whisper_model`).

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


def settings_toml(settings: Settings | None = None) -> str:
    """Return the whole settings file as TOML, every key with its meaning as a comment."""
    settings = settings or Settings()
    lines = ["# warmline settings; every key is optional and shown with its value."]
    for section_name in Settings.model_fields:
        section: Section = getattr(settings, section_name)
        heading = (type(section).__doc__ or "").split("] ", 1)[-1]
        lines += ["", f"[{section_name}]  # {heading}"]
        values = section.model_dump()
        for key, info in type(section).model_fields.items():
            lines += [f"# {info.description}", f"{key} = {_toml_value(values[key])}"]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    """Return a value as TOML writes it: a table inline, without keys that have no value."""
    if isinstance(value, dict):
        pairs = (f"{k} = {_toml_value(v)}" for k, v in value.items() if v is not None)
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _explain(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key '{key}' (see `warmline settings` for all keys)"
    if isinstance(error["input"], dict) and "error" in error.get("ctx", {}):  # of a whole section
        return f"[{key}] {error['ctx']['error']}"
    return f"{key} = {error['input']!r}: {error['msg']}"
