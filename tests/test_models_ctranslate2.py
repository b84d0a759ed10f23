"""A CTranslate2 file becomes the openai-whisper checkpoint it was made from, value for value."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.ctranslate2 import as_ctranslate2, write
from warmline.errors import ModelError
from warmline.models.ctranslate2 import read_checkpoint, read_variables, write_checkpoint

DIMS = {
    **{"n_mels": 80, "n_audio_ctx": 20, "n_audio_state": 8, "n_audio_head": 2},
    **{"n_audio_layer": 2, "n_vocab": 60, "n_text_ctx": 12, "n_text_state": 8},
    **{"n_text_head": 4, "n_text_layer": 3},
}


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
