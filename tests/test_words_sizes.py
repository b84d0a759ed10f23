"""Every published size of Whisper goes through the code that transcribes, by its shapes."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from whisper.decoding import DecodingOptions

from support.ctranslate2 import as_ctranslate2, write
from warmline.models.ctranslate2 import read_checkpoint
from warmline.words.decoding import _EncodedDecodingTask, _Sound, decode, encode
from warmline.words.recognisers import window_bytes, windows_that_fit

NAMES = (
    *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en"),
    *("large-v1", "large-v2", "large-v3", "large-v3-turbo"),
    *("distil-small.en", "distil-medium.en", "distil-large-v2", "distil-large-v3"),
)
EVERY_SIZE = pytest.mark.parametrize("name", NAMES)
# Each number of layers, heads, tokens or mels at least once.
EVERY_KIND = pytest.mark.parametrize(
    "name",
    [
        "tiny.en",
        "large-v3-turbo",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("small", "medium", "distil-small.en", "distil-large-v2")
        ),
    ],
)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    yield importlib.import_module("models")


def size_of(bench: Any, name: str) -> Any:
    return {size.name: size for size in bench.SIZES}[name]


def narrow(bench: Any, name: str, precision: torch.dtype) -> Any:
    """A network with all of a size's layers, heads, tokens and mels, but two states a head."""
    size = size_of(bench, name)
    return bench.random_model(replace(size, width=2 * size.heads), precision)


def options(precision: torch.dtype, tokens: int, beams: int = 5) -> DecodingOptions:
    return DecodingOptions(
        language="en",
        without_timestamps=True,
        beam_size=beams,
        fp16=precision == torch.float16,
        sample_len=tokens,
    )


def test_the_table_has_every_size(bench: Any) -> None:
    assert tuple(size.name for size in bench.SIZES) == NAMES


@EVERY_SIZE
def test_its_shapes_have_the_published_number_of_parameters(bench: Any, name: str) -> None:
    size = size_of(bench, name)
    assert bench.parameters(size) / 1e6 == pytest.approx(size.published, rel=0.05)


@EVERY_SIZE
def test_it_encodes_at_its_full_width(bench: Any, name: str) -> None:
    """Shapes only: the weights of the largest would take six gigabytes."""
    model = bench.shapes(size_of(bench, name))
    dims = model.dims
    mel = torch.empty(2, dims.n_mels, 900, device="meta")
    features = encode(model, mel)
    assert features.shape == (2, 450, dims.n_audio_state)
    tokens = torch.zeros(10, 4, dtype=torch.long, device="meta")
    logits = model.decoder(tokens, features.repeat_interleave(5, 0))
    assert logits.shape == (10, 4, dims.n_vocab)


@EVERY_KIND
def test_it_transcribes_in_float16(bench: Any, name: str) -> None:
    """As a GPU has it; windows of different length share the batch."""
    precision = torch.float16
    model = narrow(bench, name, precision)
    with torch.inference_mode():
        features = [
            encode(model, torch.randn(1, model.dims.n_mels, frames).to(precision))[0].to(precision)
            for frames in (120, 60)
        ]
        readings = decode(model, features, options(precision, tokens=3, beams=2))
    assert [reading.result.language for reading in readings] == ["en", "en"]
    for reading in readings:
        assert len(reading.result.tokens) <= 3
        assert -100 < reading.result.avg_logprob < 0


@EVERY_KIND
def test_its_ctranslate2_file_converts(bench: Any, name: str, tmp_path: Path) -> None:
    model = narrow(bench, name, torch.float32).half()
    checkpoint = read_checkpoint(write(tmp_path / "model.bin", as_ctranslate2(model)))
    assert checkpoint.dims == vars(model.dims)
    expected = model.state_dict()
    assert set(checkpoint.state) == set(expected)
    for key, found in checkpoint.state.items():
        assert torch.equal(torch.from_numpy(found), expected[key]), key


def held(tensors: list[Tensor]) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


def test_a_window_takes_no_more_memory_than_computed(bench: Any) -> None:
    """What is kept at the end of decoding fits into the estimate, and is most of it."""
    model = bench.random_model(size_of(bench, "tiny"), torch.float32)
    windows, tokens, beams = 2, 8, 5
    with torch.inference_mode():
        features = encode(model, torch.randn(windows, model.dims.n_mels, 3000))
        sound = _Sound(list(features))
        task = _EncodedDecodingTask(model, options(torch.float32, tokens, beams), sound)
        task.run(sound.windows)
    kept = held(
        [
            features,
            *(t for kept in sound.keys_and_values.values() for p in kept.values() for t in p),
        ]
    )
    kept += held([t for both in task.network.texts for t in both])
    kept += held([t for step in task.trace._steps for own in step.scores for t in own.values()])
    heads = model.alignment_heads._nnz()
    computed = windows * window_bytes(model.dims, beams, heads, tokens + 4, 4)
    logits = windows * 3 * 4 * beams * model.dims.n_vocab
    assert kept <= computed
    assert kept >= 0.5 * (computed - logits)


def test_batches_grow_with_the_memory_there_is(bench: Any) -> None:
    sizes = [bench.shapes(size_of(bench, name)) for name in ("base", "medium", "large-v3")]
    for model in sizes:
        fits = [windows_that_fit(model, 5, gib * 2**30) for gib in (0, 1, 2, 4, 8, 16, 128)]
        assert fits == sorted(fits)
        assert fits[0] == 1
        assert fits[1] < fits[-1] <= 128
    small, _, large = (windows_that_fit(model, 5, 2**30) for model in sizes)
    assert small > large
    assert windows_that_fit(sizes[0], 5, 2**40) == 128
    assert windows_that_fit(sizes[0], 1, 2**29) > windows_that_fit(sizes[0], 5, 2**29)
