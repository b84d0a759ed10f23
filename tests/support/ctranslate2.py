"""CTranslate2 files, as its converter writes them."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

TYPES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}


def as_ctranslate2(model: Any) -> dict[str, np.ndarray]:
    """The variables that CTranslate2's converter makes of a Whisper model.

    Written after its documentation, module by module, not after our reader.
    """
    variables: dict[str, np.ndarray] = {
        "encoder/num_heads": np.array(model.dims.n_audio_head, np.int16),
        "decoder/num_heads": np.array(model.dims.n_text_head, np.int16),
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
