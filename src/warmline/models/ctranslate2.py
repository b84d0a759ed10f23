"""Reads a CTranslate2 Whisper file as an openai-whisper checkpoint, value for value.

A float16 `model.bin` holds Whisper's own weights under other names. The format, all little-endian:
format version, name of the specification, its revision, then the variables, each a name, a rank, a
shape, a type, a byte count and the bytes; then aliases. Strings carry a 16-bit length and end in a
NUL. Source: CTranslate2 `python/ctranslate2/specs/model_spec.py` (`_serialize`) and
`specs/whisper_spec.py` for what each variable means.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from warmline.errors import ModelError

Variables = dict[str, NDArray[Any]]

_FORMAT_VERSION = 6
_SPECIFICATION = "WhisperSpec"
_TYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}

# CTranslate2's modules of one block, and Whisper's.
_NORMS = {
    "self_attention/layer_norm": "attn_ln",
    "attention/layer_norm": "cross_attn_ln",
    "ffn/layer_norm": "mlp_ln",
}
_LINEARS = {"ffn/linear_0": "mlp.0", "ffn/linear_1": "mlp.2"}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The content of an openai-whisper checkpoint: `dims` and the float16 `state` by name."""

    dims: dict[str, int]
    state: Variables


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the openai-whisper checkpoint that a CTranslate2 `model.bin` was made from.

    Raises `ModelError` naming the file and the variable when it is not a float16 Whisper model.
    """
    variables = read_variables(path)
    stored = {name: array.dtype for name, array in variables.items() if name.endswith("/weight")}
    for name, dtype in stored.items():
        if dtype != np.float16:
            raise ModelError(f"{path}: {name} is {dtype}, not float16: it cannot convert exactly")
    try:
        state = dict(_renamed(variables))
        return Checkpoint(_dims(variables, state), state)
    except KeyError as e:
        raise ModelError(f"{path}: not a whole Whisper model, {e.args[0]} is missing") from e


def write_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint file that `whisper.load_model` reads."""
    import torch

    state = {name: torch.from_numpy(array) for name, array in checkpoint.state.items()}
    torch.save({"dims": checkpoint.dims, "model_state_dict": state}, path)


def read_variables(path: Path) -> Variables:
    """Return every variable of a CTranslate2 Whisper file by its own name, aliases left out.

    Raises `ModelError` when the file is truncated, or has another format or specification.
    """
    with path.open("rb") as file:
        try:
            return dict(_variables(file, path))
        except (struct.error, UnicodeDecodeError, ValueError) as e:
            raise ModelError(f"{path}: not a CTranslate2 model, or cut short ({e})") from e


def _variables(file: BinaryIO, path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    version, specification = _number(file, "I"), _text(file)
    if (version, specification) != (_FORMAT_VERSION, _SPECIFICATION):
        raise ModelError(
            f"{path}: format {version} of '{specification}'; "
            f"only format {_FORMAT_VERSION} of '{_SPECIFICATION}' is understood"
        )
    _number(file, "I")  # the revision: it adds variables that no checkpoint has
    for _ in range(_number(file, "I")):
        name = _text(file)
        shape = [_number(file, "I") for _ in range(_number(file, "B"))]
        kind = _number(file, "B")
        if kind not in _TYPES:
            raise ModelError(f"{path}: {name} has type {kind}, which is not understood")
        data = file.read(_number(file, "I"))
        # A copy: torch wants memory that can be written to.
        yield name, np.frombuffer(data, _TYPES[kind]).reshape(shape).copy()


def _number(file: BinaryIO, kind: str) -> int:
    form = "<" + kind
    (value,) = struct.unpack(form, file.read(struct.calcsize(form)))
    return int(value)


def _text(file: BinaryIO) -> str:
    return file.read(_number(file, "H")).rstrip(b"\0").decode()


def _renamed(v: Variables) -> Iterator[tuple[str, NDArray[Any]]]:
    for conv in ("conv1", "conv2"):
        yield from _linear(v, f"encoder/{conv}", f"encoder.{conv}")
    yield "encoder.positional_embedding", v["encoder/position_encodings/encodings"]
    yield "decoder.positional_embedding", v["decoder/position_encodings/encodings"]
    yield "decoder.token_embedding.weight", v["decoder/embeddings/weight"]
    yield from _norm(v, "encoder/layer_norm", "encoder.ln_post")
    yield from _norm(v, "decoder/layer_norm", "decoder.ln")
    for side in ("encoder", "decoder"):
        for index in range(_layer_count(v, side)):
            yield from _block(v, f"{side}/layer_{index}", f"{side}.blocks.{index}")


def _block(v: Variables, source: str, target: str) -> Iterator[tuple[str, NDArray[Any]]]:
    has_cross_attention = f"{source}/attention/linear_0/weight" in v
    for norm, name in _NORMS.items():
        if has_cross_attention or name != "cross_attn_ln":
            yield from _norm(v, f"{source}/{norm}", f"{target}.{name}")
    for linear, name in _LINEARS.items():
        yield from _linear(v, f"{source}/{linear}", f"{target}.{name}")

    qkv = _split(v, f"{source}/self_attention/linear_0", 3)
    yield from _attention(qkv, f"{target}.attn")
    yield from _linear(v, f"{source}/self_attention/linear_1", f"{target}.attn.out")
    if has_cross_attention:
        q = _split(v, f"{source}/attention/linear_0", 1)
        kv = _split(v, f"{source}/attention/linear_1", 2)
        yield from _attention([*q, *kv], f"{target}.cross_attn")
        yield from _linear(v, f"{source}/attention/linear_2", f"{target}.cross_attn.out")


def _attention(
    parts: list[tuple[NDArray[Any], NDArray[Any]]], target: str
) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, (weight, bias) in zip(("query", "key", "value"), parts, strict=True):
        yield f"{target}.{name}.weight", weight
        if name != "key":
            yield f"{target}.{name}.bias", bias
        elif bias.any():
            raise ModelError(f"{target}.key has a bias that is not zero: not a Whisper model")


def _split(v: Variables, name: str, parts: int) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    weights = np.split(v[f"{name}/weight"], parts)
    return list(zip(weights, np.split(v[f"{name}/bias"], parts), strict=True))


def _linear(v: Variables, source: str, target: str) -> Iterator[tuple[str, NDArray[Any]]]:
    yield f"{target}.weight", v[f"{source}/weight"]
    yield f"{target}.bias", v[f"{source}/bias"]


def _norm(v: Variables, source: str, target: str) -> Iterator[tuple[str, NDArray[Any]]]:
    yield f"{target}.weight", v[f"{source}/gamma"]
    yield f"{target}.bias", v[f"{source}/beta"]


def _layer_count(v: Variables, side: str) -> int:
    matches = (re.match(rf"{side}/layer_(\d+)/", name) for name in v)
    return 1 + max((int(m[1]) for m in matches if m), default=-1)


def _dims(v: Variables, state: Variables) -> dict[str, int]:
    audio_ctx, audio_state = state["encoder.positional_embedding"].shape
    text_ctx, text_state = state["decoder.positional_embedding"].shape
    return {
        "n_mels": state["encoder.conv1.weight"].shape[1],
        "n_audio_ctx": audio_ctx,
        "n_audio_state": audio_state,
        "n_audio_head": int(v["encoder/num_heads"]),
        "n_audio_layer": _layer_count(v, "encoder"),
        "n_vocab": state["decoder.token_embedding.weight"].shape[0],
        "n_text_ctx": text_ctx,
        "n_text_state": text_state,
        "n_text_head": int(v["decoder/num_heads"]),
        "n_text_layer": _layer_count(v, "decoder"),
    }
