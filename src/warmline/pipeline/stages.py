"""The stages of an analysis, in order, and the cache keys of their results.

A stage's key covers everything its result depends on: the sound's digest, the stage and its
version, the settings, metadata, models and rules that it reads, the versions of its measures, and
the keys of the stages before it. Two runs with equal keys give equal results, so that a result is
computed once; a changed rule re-scores calls without listening to them again.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from warmline import empathy, floor, prosody
from warmline.analysis import MetricDefinition
from warmline.errors import SettingsError
from warmline.language.rulebook import fingerprint as rules_fingerprint
from warmline.models import ModelStore
from warmline.models.catalogue import (
    EMBEDDING,
    MANY_LANGUAGES,
    SEGMENTATION,
    SENTENCES,
    recogniser_name,
)
from warmline.redaction import require_readable
from warmline.settings import Settings
from warmline.values import CallMetadata
from warmline.words.vocabulary import fingerprint as vocabulary_fingerprint

RECOGNISER = "recogniser"
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Stage:
    """One step of the analysis and what its result depends on.

    `version` rises whenever the same input could give another result. `after` names the stages it
    reads, `settings` sections (`floor`) or keys (`speech.min_confidence`) except those in
    `but_not`, `metadata` fields of `CallMetadata`, `data` the packages whose `.toml` files it uses.
    """

    name: str
    version: int
    after: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    but_not: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    metadata: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    measures: tuple[MetricDefinition, ...] = ()


STAGES = (
    Stage(
        "sound",
        3,
        settings=("recordings",),
        but_not=(
            *("recordings.extensions", "recordings.name_patterns", "recordings.timezone"),
            *("recordings.pseudonym_key_file", "recordings.pseudonym_key_env"),
            *("recordings.settle_s", "recordings.scratch", "recordings.follow_links"),
        ),
    ),
    Stage("channels", 3, settings=("channels",)),
    Stage(
        "speech",
        11,
        after=("channels",),
        settings=("speech",),
        but_not=("speech.min_confidence",),
        models=(SEGMENTATION, EMBEDDING),
    ),
    Stage(
        "words",  # and what is private in them hidden: they are kept in no other form
        15,
        after=("speech",),
        settings=("words", "redaction"),
        but_not=("words.vocabulary", "words.vocabulary_weight"),  # these count by what they name
        models=(RECOGNISER,),
        metadata=("language",),
        data=("redaction",),
    ),
    Stage(
        "turns",  # and who is the agent, which a network of the language stage helps to tell
        7,
        after=("words",),
        settings=("turns", "language.models", "speech.min_confidence"),
        models=(MANY_LANGUAGES,),
        metadata=("channel_roles", "direction"),
        data=("turns", "phrases", "language/networks"),
    ),
    Stage(
        "prosody",
        2,
        after=("turns",),
        settings=("prosody", "speech.min_confidence"),
        measures=prosody.DEFINITIONS,
    ),
    Stage(
        "floor",
        4,
        after=("turns",),
        settings=("floor", "speech.min_confidence"),
        data=("floor",),
        measures=floor.DEFINITIONS,
    ),
    Stage(
        "language",
        16,
        after=("turns",),
        settings=("language",),
        models=(SENTENCES, MANY_LANGUAGES),
        data=("language", "phrases"),
    ),
    Stage(
        "empathy",
        8,
        after=("language", "floor"),
        settings=("empathy", "speech.min_confidence"),
        data=("empathy",),
        measures=empathy.DEFINITIONS,
    ),
)


def with_later(names: Collection[str]) -> frozenset[str]:
    """Return these stages and all that depend on them. Raises `SettingsError` naming an unknown
    one.
    """
    if unknown := set(names) - {stage.name for stage in STAGES}:
        known = ", ".join(stage.name for stage in STAGES)
        raise SettingsError(f"no stage is called {', '.join(sorted(unknown))}; there are: {known}")
    found = set(names)
    for stage in STAGES:
        if found & set(stage.after):
            found.add(stage.name)
    return frozenset(found)


def model_identities(settings: Settings) -> dict[str, str]:
    """Return names of the models that the stages use, with the digest of their stored weights.

    Raises `ModelError`, saying what to type, when one is unknown or not stored.
    """
    store = ModelStore.from_settings(settings.places)
    names = dict.fromkeys(name for stage in STAGES for name in _chosen(stage, settings))
    return {name: store.identity(name) for name in names}


def all_measures() -> tuple[MetricDefinition, ...]:
    """Return the definition of every measure of the stages."""
    return tuple(measure for stage in STAGES for measure in stage.measures)


@dataclass(frozen=True)
class CacheKeys:
    """Computes the stages' cache keys from what is the same for every call of a run.

    `models` maps the name of a model to the digest of its weights, `rules` is the digest of the
    rules of the language stage, those of the user included, `vocabulary` that of the terms that the
    recogniser is to expect, None without any.
    """

    settings: Settings
    models: Mapping[str, str] = field(hash=False)
    rules: str
    vocabulary: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> "CacheKeys":
        """Return the cache keys under these settings, with the models and rules installed today.

        Raises `ModelError` when a model is not stored, `SettingsError` when a rule file, a
        vocabulary or a label of a kind to redact is wrong.
        """
        require_readable(settings.redaction.extra)
        vocabulary = vocabulary_fingerprint(settings.words)
        models, rules = model_identities(settings), rules_fingerprint(settings.language)
        return cls(settings, models, rules, vocabulary)

    def keys(self, audio_sha256: str, metadata: CallMetadata) -> dict[str, str]:
        """Return the key of every stage for one call, in order of the stages."""
        keys: dict[str, str] = {}
        for stage in STAGES:
            told = [getattr(metadata, name) for name in stage.metadata]
            before = [keys[name] for name in stage.after]
            keys[stage.name] = _digest([self._common[stage.name], audio_sha256, told, before])
        return keys

    @cached_property
    def _common(self) -> dict[str, str]:
        """Return what a stage's result depends on besides the call."""
        return {
            stage.name: _digest(
                {
                    "stage": [stage.name, stage.version],
                    "settings": self._settings_of(stage),
                    "models": [(name, self.models[name]) for name in _chosen(stage, self.settings)],
                    "rules": self.rules if "language" in stage.settings else None,
                    "data": [_data_digest(package) for package in stage.data],
                    "measures": [(m.name, m.version) for m in stage.measures],
                }
                | self._expected_by(stage)
            )
            for stage in STAGES
        }

    def _expected_by(self, stage: Stage) -> dict[str, str]:
        """Return the digest of the vocabulary; nothing without one, as before there was any."""
        if self.vocabulary is None or "words" not in stage.settings:
            return {}
        return {"vocabulary": self.vocabulary}

    def _settings_of(self, stage: Stage) -> list[tuple[str, Any]]:
        values: dict[str, Any] = {}
        for name in stage.settings:
            section, _, key = name.partition(".")
            table = getattr(self.settings, section).model_dump(mode="json")
            values |= {f"{section}.{k}": v for k, v in table.items() if key in ("", k)}
        return sorted((k, v) for k, v in values.items() if k not in stage.but_not)


def _chosen(stage: Stage, settings: Settings) -> list[str]:
    """Return the models that a stage uses under these settings."""
    unused = set() if settings.language.models else {SENTENCES, MANY_LANGUAGES}
    return [
        recogniser_name(settings.words) if model == RECOGNISER else model
        for model in stage.models
        if model not in unused
    ]


def _data_digest(package: str) -> str:
    files = sorted((_PACKAGE / package).rglob("*.toml"))
    return _digest([(f.name, f.read_text(encoding="utf-8")) for f in files])


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
