"""The catalogue of every model that warmline can use, by name.

A file is accepted only when its SHA-256 is the published one, whatever its source. The digests of
Whisper's own checkpoints are part of their addresses in `openai-whisper`.
"""

import ast
import importlib.util
from functools import cache
from pathlib import Path

from warmline.errors import ModelError
from warmline.models.published import (
    EMBEDDING,
    FASTER_WHISPER_MODELS,
    FASTER_WHISPER_PREFIX,
    MANY_LANGUAGES,
    OTHER_MODELS,
    SEGMENTATION,
    SENTENCES,
    Model,
    ModelFile,
    Release,
    converting_releases,
)
from warmline.settings import WordSettings

__all__ = [
    "EMBEDDING",
    "MANY_LANGUAGES",
    "SEGMENTATION",
    "SENTENCES",
    "WHISPER_PREFIX",
    "catalogue",
    "default_models",
    "faster_whisper_name",
    "recogniser_name",
    "whisper_name",
]

WHISPER_PREFIX = "whisper-"


def whisper_name(model: str) -> str:
    """Return the catalogue's name of an openai-whisper model: `base` is `whisper-base`.

    Raises `ModelError` with the names openai-whisper knows.
    """
    name = WHISPER_PREFIX + model
    if name not in catalogue():
        known = ", ".join(k.removeprefix(WHISPER_PREFIX) for k in catalogue() if _is_whisper(k))
        raise ModelError(f"openai-whisper has no model '{model}'; it has: {known}")
    return name


def faster_whisper_name(model: str) -> str:
    """Return the catalogue's name of a faster-whisper model: `base` is `faster-whisper-base`.

    Raises `ModelError` with the names that are known.
    """
    name = FASTER_WHISPER_PREFIX + model
    if name not in catalogue():
        known = ", ".join(m.name.removeprefix(FASTER_WHISPER_PREFIX) for m in FASTER_WHISPER_MODELS)
        raise ModelError(
            f"no '{model}' is known for the faster-whisper engine; there are: {known} "
            "(the openai-whisper engine takes any openai-whisper model)"
        )
    return name


def recogniser_name(words: WordSettings) -> str:
    """Return the model that recognises words under these settings."""
    name = faster_whisper_name if words.engine == "faster-whisper" else whisper_name
    return name(words.whisper_model)


def default_models(words: WordSettings | None = None) -> tuple[str, ...]:
    """Return names of the models that an analysis with these settings needs."""
    others = (m.name for m in catalogue().values() if m.is_default and not _is_whisper(m.name))
    return (recogniser_name(words or WordSettings()), *others)


@cache
def catalogue() -> dict[str, Model]:
    """Return all models by name; openai-whisper's own are read from the installed package."""
    models = [*_whisper_models(), *OTHER_MODELS, *FASTER_WHISPER_MODELS]
    return {model.name: model for model in models}


def _is_whisper(name: str) -> bool:
    return name.startswith(WHISPER_PREFIX)


def _whisper_models() -> list[Model]:
    return [
        Model(
            name=WHISPER_PREFIX + name,
            purpose="words" + (", English only" if name.endswith(".en") else ""),
            licence="MIT",
            files=(ModelFile(f"whisper-{name}.pt", _whisper_releases(name, url)),),
            is_default=name == "base",
        )
        for name, url in _whisper_urls().items()
    ]


def _whisper_releases(name: str, url: str) -> tuple[Release, ...]:
    *_, sha256, file_name = url.split("/")
    published = Release(file_name, sha256, None, url)
    return (published, *converting_releases(name))


def _whisper_urls() -> dict[str, str]:
    """Return `whisper._MODELS`, read without importing whisper (which would import torch)."""
    spec = importlib.util.find_spec("whisper")
    if spec is None or spec.origin is None:
        raise ModelError("openai-whisper is not installed: pip install 'warmline[listen]'")
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODELS":
            table: dict[str, str] = ast.literal_eval(node.value)
            return table
    raise ModelError(f"{spec.origin}: this version of openai-whisper has no table of models")
