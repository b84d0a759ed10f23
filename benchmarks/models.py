"""Every size of Whisper: settings, memory and speed, as a table.

`python models.py --to RESULTS-models.md` counts the parameters of each size by its shapes, computes
the memory that it takes, and measures its speed on this machine where the size fits into
`--most-gb`: a window of 30 s is encoded, and 75 tokens are decoded with five beams, by the code
that transcribes calls, on one core, with random weights of the size's shapes. How long that takes
does not depend on the values of weights. Speed elsewhere is `expected`: the time of `base`, times
the multiply-adds of the size over those of `base`, in encoder and decoder each.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accounting import machine
from whisper.decoding import DecodingOptions
from whisper.model import AudioEncoder, ModelDimensions, TextDecoder, Whisper

from warmline.errors import ModelError
from warmline.models import ModelStore
from warmline.models.catalogue import WHISPER_PREFIX, catalogue
from warmline.models.engines import Engines, _attend_in_blocks, _in_precision
from warmline.settings import Settings
from warmline.words.decoding import decode, encode
from warmline.words.recognisers import window_bytes

BEAMS, TOKENS, WINDOW_S = 5, 75, 30.0  # a window full of speech has some 75 tokens
FRAMES = 1500


@dataclass(frozen=True)
class Size:
    """A size by its shapes; `published` millions of parameters, as its publisher states them."""

    name: str
    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    vocabulary: int
    mels: int
    published: int

    @property
    def dims(self) -> ModelDimensions:
        """The shapes as openai-whisper has them."""
        audio = (self.mels, FRAMES, self.width, self.heads, self.encoder_layers)
        return ModelDimensions(
            *audio, self.vocabulary, 448, self.width, self.heads, self.decoder_layers
        )


# Radford et al. 2023, table 1, and the publisher's model card; Gandhi et al. 2023 for distil.
SIZES = (
    Size("tiny", 384, 6, 4, 4, 51865, 80, 39),
    Size("tiny.en", 384, 6, 4, 4, 51864, 80, 39),
    Size("base", 512, 8, 6, 6, 51865, 80, 74),
    Size("base.en", 512, 8, 6, 6, 51864, 80, 74),
    Size("small", 768, 12, 12, 12, 51865, 80, 244),
    Size("small.en", 768, 12, 12, 12, 51864, 80, 244),
    Size("medium", 1024, 16, 24, 24, 51865, 80, 769),
    Size("medium.en", 1024, 16, 24, 24, 51864, 80, 769),
    Size("large-v1", 1280, 20, 32, 32, 51865, 80, 1550),
    Size("large-v2", 1280, 20, 32, 32, 51865, 80, 1550),
    Size("large-v3", 1280, 20, 32, 32, 51866, 128, 1550),
    Size("large-v3-turbo", 1280, 20, 32, 4, 51866, 128, 809),
    Size("distil-small.en", 768, 12, 12, 4, 51864, 80, 166),
    Size("distil-medium.en", 1024, 16, 24, 2, 51864, 80, 394),
    Size("distil-large-v2", 1280, 20, 32, 2, 51865, 80, 756),
    Size("distil-large-v3", 1280, 20, 32, 2, 51866, 128, 756),
)


def shapes(size: Size) -> Whisper:
    """The network without any memory for its weights; its alignment heads are those of no size."""
    dims = size.dims
    model = Whisper(replace(dims, n_audio_layer=0, n_text_layer=1, n_vocab=1))
    with torch.device("meta"):
        model.encoder = AudioEncoder(
            *(dims.n_mels, dims.n_audio_ctx, dims.n_audio_state),
            *(dims.n_audio_head, dims.n_audio_layer),
        )
        model.decoder = TextDecoder(
            *(dims.n_vocab, dims.n_text_ctx, dims.n_text_state),
            *(dims.n_text_head, dims.n_text_layer),
        )
    model.dims = dims
    return model


def parameters(size: Size) -> int:
    """How many numbers the weights are; positions of the encoder are computed, not learnt."""
    return sum(p.numel() for p in shapes(size).parameters())


def multiply_adds(size: Size) -> tuple[float, float]:
    """Of a window, in encoder and decoder: layers times width, frames and tokens."""
    d, kept = size.width, FRAMES * size.width
    convolutions = 3 * (2 * FRAMES * size.mels * d + FRAMES * d * d)
    encoder = size.encoder_layers * (12 * FRAMES * d * d + 2 * FRAMES * kept)
    keys_and_values = size.decoder_layers * 2 * FRAMES * d * d
    token = size.decoder_layers * (14 * d * d + 2 * kept) + size.vocabulary * d
    return float(convolutions + encoder), float(keys_and_values + TOKENS * BEAMS * token)


def random_model(size: Size, precision: torch.dtype) -> Whisper:
    """The network with random weights, in the form in which it transcribes."""
    model = shapes(size)
    if precision != torch.float32:
        _in_precision(model, precision)
    lot = 0.02 * torch.randn(2**20, generator=torch.Generator().manual_seed(0))
    state = {
        name: lot.to(kept.dtype)
        .repeat(kept.numel() // len(lot) + 1)[: kept.numel()]
        .view(kept.shape)
        for name, kept in model.state_dict().items()
    }
    model.load_state_dict(state, assign=True)
    for buffer in ("mask", "alignment_heads"):  # no weights: made anew, where they have values
        module = model.decoder if buffer == "mask" else model
        module.register_buffer(buffer, _value_of(buffer, size), persistent=False)
    if precision == torch.bfloat16:
        _attend_in_blocks(model)
    return model.eval().requires_grad_(False)


def _value_of(buffer: str, size: Size) -> torch.Tensor:
    if buffer == "mask":
        return torch.full((448, 448), float("-inf")).triu_(1)
    heads = torch.zeros(size.decoder_layers, size.heads, dtype=torch.bool)
    heads[size.decoder_layers // 2 :] = True
    return heads.to_sparse()


@dataclass(frozen=True)
class Speed:
    """CPU seconds of a window: in the encoder, and in the decoder."""

    encoder_s: float
    decoder_s: float

    @property
    def times_real_time(self) -> float:
        """How many seconds of speech a core hears in one."""
        return WINDOW_S / (self.encoder_s + self.decoder_s)


def measured(model: Whisper) -> Speed:
    """What a window takes that is full of speech; nothing ends a text before its 75 tokens."""
    dtype = model.encoder.conv1.weight.dtype
    mel = torch.randn(1, model.dims.n_mels, 2 * FRAMES, generator=torch.Generator().manual_seed(1))
    end_of_text = 50257 if model.is_multilingual else 50256
    options = DecodingOptions(
        language="en",
        without_timestamps=True,
        beam_size=BEAMS,
        fp16=dtype == torch.float16,
        sample_len=TOKENS,
        suppress_tokens=[-1, end_of_text],
    )
    with torch.inference_mode():
        encode(model, mel[..., :200].to(dtype))  # loads what a first call loads
        began = time.process_time()
        features = encode(model, mel.to(dtype)).to(dtype)
        encoded = time.process_time()
        decode(model, [features[0]], options)
    return Speed(encoded - began, time.process_time() - encoded)


def rows(most_gb: float, precision: torch.dtype, store: set[str]) -> Iterator[str]:
    """A line of the table for each size."""
    value_bytes = torch.finfo(precision).bits // 8
    base, base_work = Speed(0.0, 0.0), (1.0, 1.0)
    for size in sorted(SIZES, key=lambda s: s.name != "base"):
        count = parameters(size)
        weights_gb = count * value_bytes / 1e9
        speed = None
        if weights_gb <= most_gb and not size.name.endswith(("v1", "v2", ".en")):
            speed = measured(random_model(size, precision))
        if size.name == "base":
            if speed is None:
                raise RuntimeError("base is what the others are compared with: raise --most-gb")
            base, base_work = speed, multiply_adds(size)
        work = multiply_adds(size)
        expected = Speed(
            base.encoder_s * work[0] / base_work[0], base.decoder_s * work[1] / base_work[1]
        )
        heads = size.heads * (size.decoder_layers - size.decoder_layers // 2)
        one_mb = window_bytes(size.dims, BEAMS, heads, 2 * TOKENS, 2) / 1e6
        found = f"{speed.times_real_time:.1f}" if speed else ""
        cells = [f"`{size.name}`", f"{count / 1e6:.0f}", f"{size.published}"]
        cells += [f"{4 * count / 1e9:.2f}", f"{2 * count / 1e9:.2f}", f"{one_mb:.0f}"]
        cells += [f"{work[0] / 1e9:.0f} + {work[1] / 1e9:.0f}", found]
        cells.append(f"{expected.times_real_time:.1f}")
        cells.append(source(size.name) + ", stored here" * (size.name in store))
        line = f"| {' | '.join(cells)} |"
        print(line, file=sys.stderr, flush=True)  # noqa: T201
        yield line


def source(name: str) -> str:
    """Where the weights come from that the model store takes."""
    model = catalogue().get(f"{WHISPER_PREFIX}{name}")
    if model is None:
        return "none that is checked"
    in_wheels = any(release.members for file in model.files for release in file.releases)
    return "publisher, package index" if in_wheels else "publisher"


def stored() -> set[str]:
    """Sizes whose weights are in the model store of this machine."""
    store = ModelStore.from_settings(Settings().places)
    names = {size.name for size in SIZES if f"{WHISPER_PREFIX}{size.name}" in catalogue()}
    return {name for name in names if is_stored(store, name)}


def is_stored(store: ModelStore, name: str) -> bool:
    """Tell whether a size has been pulled."""
    try:
        store.path_of(f"{WHISPER_PREFIX}{name}")
    except ModelError:
        return False
    return True


_HEADING = (
    "| model | parameters, M (counted) | published, M | weights in float32, GB (computed) "
    "| in 16 bits, GB (computed) | MB for each window of a batch (computed) "
    "| multiply-adds of a window, encoder + decoder, G (computed) | x real time, a core (measured) "
    "| x real time, a core (expected) | weights |"
)


def main() -> int:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, help="Markdown file to write as well")
    parser.add_argument("--most-gb", type=float, default=3.2, help="Larger weights: not measured")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="")
    given = parser.parse_args()
    torch.set_num_threads(1)
    able = Engines.from_settings(Settings()).computes_bfloat16
    precision = getattr(torch, given.precision or ("bfloat16" if able else "float32"))
    found = {line.split("`")[1]: line for line in rows(given.most_gb, precision, stored())}
    lines = [
        "# Sizes of Whisper",
        "",
        f"Written by `models.py`; do not edit. {machine()}. Measured: CPU time of one core in "
        f"{str(precision).removeprefix('torch.')}, for a window of {WINDOW_S:.0f} s, {TOKENS} "
        f"tokens and {BEAMS} beams, with random weights of the size's shapes (times do not depend "
        "on values). Expected: the measured time of `base`, times the multiply-adds of the size "
        "over those of `base`, in encoder and decoder each. Empty: not measured, because another "
        f"of the same shapes was, or the weights take more than {given.most_gb:g} GB.",
        "",
        _HEADING,
        "|---" + "|--:" * 8 + "|---|",
        *(found[size.name] for size in SIZES),
        "",
    ]
    if given.to:
        given.to.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
