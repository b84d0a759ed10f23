"""A CTranslate2 file becomes the openai-whisper checkpoint it was made from, value for value."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmline.errors import ModelError
from warmline.models.ctranslate2 import read_checkpoint, read_variables, write_checkpoint

DIMS = {
    **{"n_mels": 80, "n_audio_ctx": 20, "n_audio_state": 8, "n_audio_head": 2},
    **{"n_audio_layer": 2, "n_vocab": 60, "n_text_ctx": 12, "n_text_state": 8},
    **{"n_text_head": 4, "n_text_layer": 3},
}
TYPES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


@pytest.fixture(scope="module")
def whisper_model() -> Any:
    """A small Whisper with random float16 weights."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(0)
    model = Whisper(ModelDimensions(**DIMS))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter).half())
        model.encoder.positional_embedding.copy_(model.encoder.positional_embedding.half())
    return model.eval()


def as_ctranslate2(model: Any) -> dict[str, np.ndarray]:
    """The variables that CTranslate2's converter makes of a Whisper model.

    Written after its documentation, module by module, not after our reader.
    """
    variables: dict[str, np.ndarray] = {
        "encoder/num_heads": np.array(DIMS["n_audio_head"], np.int16),
        "decoder/num_heads": np.array(DIMS["n_text_head"], np.int16),
        "decoder/pre_norm": np.array(1, np.int8),
    }

    def put(name: str, *tensors: Any) -> None:
        arrays = [tensor.detach().numpy().astype(np.float16) for tensor in tensors]
        variables[name] = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]

    def norm(name: str, module: Any) -> None:
        put(f"{name}/gamma", module.weight)
        put(f"{name}/beta", module.bias)

    def linear(name: str, *modules: Any) -> None:
        put(f"{name}/weight", *(module.weight for module in modules))
        biases = [m.weight[:, 0] * 0 if m.bias is None else m.bias for m in modules]
        put(f"{name}/bias", *biases)

    for side, half in (("encoder", model.encoder), ("decoder", model.decoder)):
        put(f"{side}/position_encodings/encodings", half.positional_embedding)
        for i, block in enumerate(half.blocks):
            layer, own, cross = f"{side}/layer_{i}", block.attn, block.cross_attn
            linear(f"{layer}/self_attention/linear_0", own.query, own.key, own.value)
            linear(f"{layer}/self_attention/linear_1", own.out)
            norm(f"{layer}/self_attention/layer_norm", block.attn_ln)
            if cross is not None:
                linear(f"{layer}/attention/linear_0", cross.query)
                linear(f"{layer}/attention/linear_1", cross.key, cross.value)
                linear(f"{layer}/attention/linear_2", cross.out)
                norm(f"{layer}/attention/layer_norm", block.cross_attn_ln)
            linear(f"{layer}/ffn/linear_0", block.mlp[0])
            linear(f"{layer}/ffn/linear_1", block.mlp[2])
            norm(f"{layer}/ffn/layer_norm", block.mlp_ln)
    linear("encoder/conv1", model.encoder.conv1)
    linear("encoder/conv2", model.encoder.conv2)
    norm("encoder/layer_norm", model.encoder.ln_post)
    put("decoder/embeddings/weight", model.decoder.token_embedding.weight)
    norm("decoder/layer_norm", model.decoder.ln)
    return variables


def write(path: Path, variables: dict[str, np.ndarray], spec: str = "WhisperSpec") -> Path:
    """A CTranslate2 file, format 6."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    out = struct.pack("<I", 6) + text(spec) + struct.pack("<II", 3, len(variables))
    for name, array in variables.items():
        out += text(name) + struct.pack("<B", array.ndim)
        out += b"".join(struct.pack("<I", size) for size in array.shape)
        out += struct.pack("<BI", TYPES[str(array.dtype)], array.nbytes) + array.tobytes()
    out += struct.pack("<I", 1) + text("decoder/projection/weight")
    path.write_bytes(out + text("decoder/embeddings/weight"))
    return path


def test_the_converted_checkpoint_is_the_model_it_was_made_from(
    whisper_model: Any, tmp_path: Path
) -> None:
    import torch
    from whisper.model import ModelDimensions, Whisper

    source = write(tmp_path / "model.bin", as_ctranslate2(whisper_model))
    write_checkpoint(read_checkpoint(source), tmp_path / "whisper.pt")

    checkpoint = torch.load(tmp_path / "whisper.pt", weights_only=True)
    assert checkpoint["dims"] == DIMS
    expected = whisper_model.state_dict()
    assert set(checkpoint["model_state_dict"]) == set(expected)
    for name, tensor in checkpoint["model_state_dict"].items():
        assert tensor.dtype == torch.float16
        assert torch.equal(tensor.float(), expected[name]), name

    converted = Whisper(ModelDimensions(**checkpoint["dims"])).eval()
    converted.load_state_dict(checkpoint["model_state_dict"])
    mel, tokens = torch.randn(2, 80, 40), torch.randint(0, 60, (2, 7))
    with torch.inference_mode():
        assert torch.equal(converted(mel, tokens), whisper_model(mel, tokens))


def test_a_file_cut_anywhere_is_refused(whisper_model: Any, tmp_path: Path) -> None:
    whole = write(tmp_path / "model.bin", as_ctranslate2(whisper_model)).read_bytes()
    for length in (0, 3, 10, 30, len(whole) // 2, len(whole) - 120):
        cut = tmp_path / "cut.bin"
        cut.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"cut\.bin: "):
            read_checkpoint(cut)


def test_what_cannot_convert_exactly_is_refused(whisper_model: Any, tmp_path: Path) -> None:
    variables = as_ctranslate2(whisper_model)
    name = "encoder/layer_0/ffn/linear_0/weight"

    quantised = variables | {name: variables[name].astype(np.int8)}
    with pytest.raises(ModelError, match=f"{name} is int8, not float16"):
        read_checkpoint(write(tmp_path / "a.bin", quantised))

    biased = dict(variables)
    biased["decoder/layer_1/attention/linear_1/bias"] = np.ones(16, np.float16)
    with pytest.raises(ModelError, match=r"decoder\.blocks\.1\.cross_attn\.key has a bias"):
        read_checkpoint(write(tmp_path / "b.bin", biased))

    without = {key: array for key, array in variables.items() if key != name}
    with pytest.raises(ModelError, match=f"{name} is missing"):
        read_checkpoint(write(tmp_path / "c.bin", without))

    with pytest.raises(ModelError, match="format 6 of 'TransformerSpec'"):
        read_variables(write(tmp_path / "d.bin", variables, spec="TransformerSpec"))
