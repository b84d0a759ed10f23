"""Every setting, its default, and what it means; one TOML file holds them all.

A section belongs to one stage, and its values are part of the cache keys of the stages that use it,
so that a changed setting redoes those stages and no others. The sections of the stages that measure
are in `settings.analysis`; here are those of a run, and the file as a whole.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator

from warmline.errors import SettingsError, one_line
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
    known_zone,
)

__all__ = [
    "ChannelSettings",
    "DisplaySettings",
    "EmpathySettings",
    "EncryptionSettings",
    "FloorSettings",
    "LanguageSettings",
    "LoginSettings",
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


#: A century: so many days before today are still in the calendar.
MOST_DAYS = 36_500


class ProfileSettings(Section):
    """[profile] the empathy profile, and its index: one number only where weights are set."""

    min_reference_calls: int = Field(
        default=20, ge=2, description="With fewer calls to compare with, nothing has a score."
    )
    min_weight_measured: float = Field(
        default=0.6, gt=0, le=1, description="Least share of the weight for an index."
    )
    smallest_group: int = Field(
        default=5,
        ge=1,
        description="With fewer agents a team's figures in team_week and agent_week are not shown: "
        "of one or two, they would be those of people. 1: they always are.",
    )
    weight_answering: float = Field(
        default=0.0, ge=0, description="Weight of cues answered; no weight at all, no index."
    )
    weight_listening: float = Field(
        default=0.0, ge=0, description="Weight of attentive and cognitive statements."
    )
    weight_exploring: float = Field(default=0.0, ge=0, description="Weight of open questions.")
    weight_acting: float = Field(
        default=0.0, ge=0, description="Weight of affective statements that action follows."
    )
    weight_giving_room: float = Field(
        default=0.0, ge=0, description="Weight of not interrupting the customer."
    )
    weight_restraint: float = Field(
        default=0.0, ge=0, description="Weight of no dismissals, misplaced offers, early solutions."
    )
    weight_steadiness: float = Field(
        default=0.0, ge=0, description="Weight of an even voice under heat."
    )


class PlaceSettings(Section):
    """[places] where things are kept; ~ is allowed, relative paths start where you are."""

    landing: str = Field(
        default="",
        description="Folder of analyses, one file per call; empty: the one that the warehouse was "
        "built from, beside a new one.",
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


class DisplaySettings(Section):
    """[display] how results are shown to people."""

    timezone: str = Field(
        default="UTC",
        description="Time zone of the times that are shown, such as Europe/Berlin; local: that of "
        "this machine. Kept times are UTC, and so are the days that queries ask for.",
    )

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        return name if name in ("UTC", "local") else known_zone(name)


class NightSettings(Section):
    """[night] unattended runs."""

    sources: tuple[str, ...] = Field(
        default=(),
        description="Files, folders and URLs (s3://bucket/calls/) that the night analyzes.",
    )
    metadata: str = Field(
        default="", description="CSV with a row per call for the night; empty: sidecars only."
    )
    cron: str = Field(
        default="",
        description='When nights start, such as "0 2 * * *" (every night at two), by the clocks of '
        "`timezone`; empty: `warmline nightly` asks for --once or --cron.",
    )
    timezone: str = Field(
        default="UTC",
        description="Time zone of `cron`, such as Europe/Berlin; its nights follow the clocks "
        "when they change.",
    )
    jobs: int = Field(
        default=0,
        ge=0,
        description="Calls analyzed at the same time, each in its own process of about 1.5 GB; "
        "0: one a core, as far as a container's limits of time and memory allow.",
    )
    runner: Literal["here", "dask", "ray"] = Field(
        default="here",
        description='Where `warmline nightly` analyzes calls: on this machine, or ("dask", "ray") '
        "on the workers of a Dask or Ray cluster, which need the package, and landing folder and "
        "recordings at the same paths.",
    )
    cluster: str = Field(
        default="",
        description="Address of the Dask scheduler (tcp://host:8786) or of Ray's head (host:6379, "
        "from a machine of the cluster); empty: a cluster of `jobs` workers on this machine, for "
        "one night.",
    )
    retries: int = Field(default=2, ge=0, description="Further tries after a passing fault.")
    retry_delay_s: float = Field(default=10.0, ge=0, description="Wait before the first retry.")
    call_timeout_s: float = Field(
        default=3600.0,
        gt=0,
        description="A call that takes longer is given up; one of several hours, judged by the "
        "size of its file, may take as many times as long.",
    )
    call_memory_gb: float = Field(
        default=0.0,
        ge=0,
        description="Memory that the process of a call may take; one that asks for more fails. "
        "0: all there is.",
    )
    give_up_after: int = Field(
        default=3,
        ge=0,
        description="Runs in a row in which a call fails before it is left alone until "
        "`warmline retry`; 0: it is tried in every run. Sources that cannot be read do not count.",
    )
    alarm_failed_share: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Alarm when a larger share of a night's calls failed, whatever was usual;",
    )
    alarm_unanalyzed_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="or when a larger share was refused, failed, or had no speech.",
    )
    alarm_min_calls: int = Field(
        default=3,
        ge=1,
        description="Fewer such calls are no alarm, whatever their share: one empty recording on a "
        "quiet day. 1: every one counts, where there are only a few calls a day.",
    )
    drift_days: int = Field(
        default=28,
        ge=1,
        le=MOST_DAYS,
        description="Days before, with which a night's calls are compared.",
    )
    drift_min_days: int = Field(
        default=7,
        ge=2,
        description="With fewer of them that had enough calls, nothing is compared.",
    )
    drift_min_calls: int = Field(
        default=20, ge=2, description="Least calls of a night, and of a day, to be compared."
    )
    drift_z: float = Field(
        default=4.0,
        gt=0,
        description="Alarm when a measure is so many standard deviations from the usual, and",
    )
    drift_share_ratio: float = Field(
        default=2.0, ge=1, description="a share (failed, without roles) is so many times the usual,"
    )
    drift_share_change: float = Field(default=0.02, ge=0, description="and so much above it;")
    drift_mean_change: float = Field(
        default=0.2, ge=0, description="any other measure differs by this part of the usual."
    )
    keep_runs_days: int = Field(
        default=90,
        ge=1,
        le=MOST_DAYS,
        description="How long Prefect's own database keeps a night: its log, with the names of "
        "recordings, and its report. Older ones go when `warmline nightly` starts, and a few after "
        "each night.",
    )
    notify: str = Field(
        default="",
        description="Prefect block (type/name, such as slack-webhook/quality) that is told, in "
        "counts, when a night needs attention; empty: nobody.",
    )

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        return name if name == "UTC" else known_zone(name)

    @property
    def retry_delays_s(self) -> tuple[float, ...]:
        """Return the wait before each further try, s: twice as long each time."""
        return tuple(self.retry_delay_s * 2**i for i in range(self.retries))


# Settings of redaction, retention and encryption.


RedactionKind = Literal[
    "card",
    "security_code",
    "expiry",
    "account",
    "iban",
    "swift",
    "sort_code",
    "social_security",
    "national_id",
    "birth_date",
    "phone",
    "email",
    "password",
    "vehicle",
    "number",
    "address",
    "name",
]


class ExtraKind(Section):
    """[[redaction.extra]] a kind of private value of your own, hidden as [private_...]."""

    id: str = Field(
        pattern=r"^private_[a-z][a-z_]{0,30}$",
        description="Its name, which begins with private_: the placeholder is it in brackets.",
    )
    labels: tuple[str, ...] = Field(
        default=(),
        description="What announces it, as phrase templates: 'loyalty (card|number)'.",
    )
    made_of: Literal["digits", "mixed"] = Field(
        default="mixed", description="digits, or mixed: digits and letters, said or spelled."
    )
    least: int = Field(default=4, ge=1, description="Characters that it has at least.")
    most: int = Field(default=20, ge=1, le=64, description="Characters that it has at most.")
    digits: int = Field(default=1, ge=0, description="Digits that it has at least.")
    pattern: str | None = Field(
        default=None,
        description="Regular expression for the whole value, in capitals and without signs "
        "between, by which it is found unannounced, too: 'LX\\d{7}'.",
    )

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if not self.labels and self.pattern is None:
            raise ValueError(f"{self.id} needs labels or a pattern")
        if self.least > self.most:
            raise ValueError(f"{self.id}: least = {self.least} is more than most = {self.most}")
        if self.pattern is not None:
            try:
                compiled = re.compile(self.pattern)
            except re.error as e:
                raise ValueError(f"{self.id}: pattern is no regular expression: {e}") from e
            if compiled.fullmatch(""):
                raise ValueError(f"{self.id}: pattern matches nothing at all, which is everywhere")
        return self


class RedactionSettings(Section):
    """[redaction] private things that are hidden before anything is kept."""

    enabled: bool = Field(
        default=True,
        description="Put placeholders ([card]) for what is private as soon as words are found. "
        "What was hidden is kept nowhere, so that a change of this section finds the words anew.",
    )
    kinds: tuple[RedactionKind, ...] = Field(
        default=(
            *("card", "security_code", "expiry", "account", "iban", "swift", "sort_code"),
            *("social_security", "national_id", "birth_date", "phone", "email", "password"),
            *("vehicle", "number"),
        ),
        description="What is hidden: card; security_code (PINs and one-time codes, too); expiry "
        "(of cards); account (policies and customers, too); iban; swift; sort_code (routing "
        "numbers, too); social_security; national_id (passports, licences, numbers of health and "
        "tax); birth_date; phone; email; password (answers to security questions, too); vehicle; "
        "number (any other run of seven digits or more). Not by default, as each takes more than "
        "one word in a hundred of real calls: address (house number with its street, zip code); "
        "name (of people who say or spell it), which also hides who served the customer.",
    )
    extra: tuple[ExtraKind, ...] = Field(
        default=(),
        description="Kinds of your own, tables [[redaction.extra]] with id, labels, made_of, "
        "least, most, digits, pattern: docs/redaction.md has an example.",
    )


class RetentionSettings(Section):
    """[retention] how long what was heard is kept; the night applies it, before it publishes."""

    words_days: int = Field(
        default=0,
        ge=0,
        le=MOST_DAYS,
        description="Of calls that started longer ago, words and quotations are erased, measures "
        "stay; 0: words are kept as long as calls.",
    )
    calls_days: int = Field(
        default=0,
        ge=0,
        le=MOST_DAYS,
        description="Calls that started longer ago are erased, as `warmline forget --older-than` "
        "does; 0: they are kept until somebody erases them. Recordings are yours to delete.",
    )


# Settings of encryption: where the key is, never the key.


class EncryptionSettings(Section):
    """[encryption] landing folder and warehouse are encrypted as soon as a key is given."""

    key_env: str = Field(
        default="",
        pattern=r"^\w*$",
        description="Name of the environment variable that holds the key; empty: WARMLINE_KEY, "
        "if it is set.",
    )
    key_file: str = Field(
        default="",
        description="File that holds the key (`warmline key new FILE` makes one); empty: none.",
    )


# Settings of the pages: who may log in by an identity provider.


PagesRole = Literal["agent", "researcher", "reviewer", "lead", "admin"]


class RoleOfClaim(Section):
    """[[login.roles]] the role that a value of the role claim stands for."""

    value: str = Field(min_length=1, description="What the claim says, as the name of a group.")
    role: PagesRole = Field(description="The role that it gives here.")


class LoginSettings(Section):
    """[login] users of `warmline serve` who log in by an identity provider (OpenID Connect)."""

    issuer: str = Field(
        default="",
        description="Address of the provider, as its tokens say it (iss); empty: there is none, "
        "and nothing is asked of any.",
    )
    client_id: str = Field(default="", description="What the provider calls these pages.")
    client_secret_env: str = Field(
        default="",
        pattern=r"^\w*$",
        description="Name of the environment variable that holds the secret of the client;",
    )
    client_secret_file: str = Field(
        default="",
        description="or the file with the secret in its first line. Neither: a public client.",
    )
    address: str = Field(
        default="",
        description="Address of these pages in people's browsers, such as https://qa.example.org; "
        "the provider sends people back to it with /login/callback after it. Empty: the one that "
        "the browser asked for.",
    )
    scopes: str = Field(default="openid profile email", description="What the provider is asked.")
    name_claim: str = Field(
        default="preferred_username",
        min_length=1,
        description="Claim of the ID token that a new user is called by.",
    )
    role_claim: str = Field(
        default="",
        description="Claim that says the role, anew at every login: one value or several, of which "
        "the one that may most counts. Empty: the role is that of `warmline serve user add`.",
    )
    roles: tuple[RoleOfClaim, ...] = Field(
        default=(),
        description="What its values stand for, tables [[login.roles]] with value and role; none: "
        "the values are roles.",
    )
    agent_claim: str = Field(
        default="", description="Claim with the agent's id, for those whose role is agent."
    )
    unknown_role: PagesRole | Literal[""] = Field(
        default="",
        description="Role of somebody who has none by what is set above; empty: they are refused.",
    )

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        if not self.issuer:
            return self
        if not self.client_id:
            raise ValueError("client_id: what does the provider call these pages?")
        if self.client_secret_env and self.client_secret_file:
            raise ValueError("client_secret_env and client_secret_file: name one of them")
        if "openid" not in self.scopes.split():
            raise ValueError("scopes: openid has to be one of them")
        for name in ("issuer", "address"):
            if (address := getattr(self, name)) and not is_safe_address(address):
                raise ValueError(f"{name}: an address with https, or http of this machine")
        return self


def is_safe_address(text: str) -> bool:
    """Return whether it is an address to which nothing travels that others could read."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.fragment or parts.username:
        return False
    return parts.scheme == "https" or (
        parts.scheme == "http" and host in ("localhost", "127.0.0.1", "::1")
    )


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
    login: LoginSettings = Field(default_factory=LoginSettings)
    display: DisplaySettings = Field(default_factory=DisplaySettings)
    night: NightSettings = Field(default_factory=NightSettings)


def load_settings(path: Path | None) -> Settings:
    """Return settings from a TOML file, with defaults for missing keys; None gives the defaults.

    Raises `SettingsError` naming the file and every key that is unknown or has a wrong value.
    """
    if path is None:
        return Settings()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as e:
        raise SettingsError(f"{path}: cannot read settings ({e.strerror})") from e
    except (ValueError, RecursionError) as e:  # a number too long, brackets nested too deep
        raise SettingsError(f"{path}: not valid TOML: {e}") from e
    try:
        # As JSON, since that has lists as TOML does: no text or truth value is taken for a number.
        return Settings.model_validate_json(json.dumps(table, default=str), strict=True)
    except ValidationError as e:
        raise SettingsError(f"{path}: " + "; ".join(map(_explain, e.errors()))) from e
    except (ValueError, RecursionError) as e:
        raise SettingsError(f"{path}: a value that is no setting ({one_line(str(e))})") from e


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
    if error["type"] == "tuple_type":
        return (
            f"{key} = {error['input']!r}: a list is wanted, such as {json.dumps([error['input']])}"
        )
    if isinstance(error["input"], dict) and "error" in error.get("ctx", {}):  # of a whole section
        return f"[{key}] {error['ctx']['error']}"
    return f"{key} = {error['input']!r}: {error['msg']}"
