"""MiniLM with a low-rank adapter merged in: encodes texts, alone or with what they answer.

The adapters are trained by `training/`; see `networks/MODEL_CARD.md`. This module imports torch:
only `warmline.engines` loads it.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from warmline.language.minilm import Bert, Block, published_weights

TOKENS_PER_BATCH = 2048
_UP, _DOWN = ".up", ".down"
_TRAINED = "encoder."  # the name that training gives the network with these layers


class Row(NamedTuple):
    """Tokens of one text, or of two, of which the second begins at `second`."""

    ids: list[int]
    second: int | None = None


class MeanEncoder:
    """A network that turns rows of tokens into the means of their vectors."""

    def __init__(self, network: Bert, device: torch.device, number: torch.dtype) -> None:
        """Take the network; `number` is the number format to compute in: float32 or bfloat16."""
        self._network = network.eval().requires_grad_(False).to(device, number)
        self._device = device

    def _means(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """Return means (rows, 2, width) of the tokens from the second text on, and of all."""
        found = np.empty((len(rows), 2, self._network.words.embedding_dim), np.float32)
        for batch in _batches([len(row.ids) for row in rows]):
            found[batch] = self._means_of_batch([rows[i] for i in batch])
        return found

    @torch.inference_mode()
    def _means_of_batch(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """Return the means of rows in order of length."""
        blocks = [self._block(list(own)) for _, own in groupby(rows, lambda row: len(row.ids))]
        hidden = self._network(blocks)
        means = [
            _means(own.float(), block.segments) for own, block in zip(hidden, blocks, strict=True)
        ]
        found: NDArray[np.float32] = torch.cat(means).cpu().numpy()
        return found

    def _block(self, rows: Sequence[Row]) -> Block:
        tokens = torch.tensor([row.ids for row in rows])
        length = tokens.shape[1]
        # A single text has only the first segment.
        starts = torch.tensor([length if row.second is None else row.second for row in rows])
        segments = torch.arange(length) >= starts[:, None]
        return Block(tokens.to(self._device), segments.long().to(self._device))


class ReadingEncoder(MeanEncoder):
    """Encodes texts as the means of their token vectors, as the heads of one adapter read them."""

    def __init__(
        self,
        weights: Path,
        tokenizer: Path,
        config: Path,
        adapter: Path | None,
        device: torch.device,
        number: torch.dtype,
    ) -> None:
        """Load MiniLM; without an adapter as published.

        `number` is the number format to compute in: float32 or bfloat16.
        """
        network = Bert(json.loads(config.read_text(encoding="utf-8")))
        network.load_state_dict(
            merged(published_weights(weights), load_file(adapter) if adapter else {})
        )
        super().__init__(network, device, number)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        marks = self._tokenizer.encode("").ids
        self._first, self._last = marks[0], marks[-1]

    def texts(self, texts: Sequence[str], longest: int) -> NDArray[np.float32]:
        """Return means (texts, 384) of all tokens; a text is cut at `longest` tokens."""
        cut = longest - 2
        rows = [Row([self._first, *self._tokens(t)[:cut], self._last]) for t in texts]
        return self._means(rows)[:, 1]

    def pairs(
        self, pairs: Sequence[tuple[str, str]], longest_context: int, longest_text: int
    ) -> NDArray[np.float32]:
        """Return means (pairs, 768) of the reply, then of all, for (context, text) pairs.

        Of a context the last `longest_context` tokens are read, of a text the first `longest_text`.
        """
        rows = []
        for context, text in pairs:
            before = [self._first, *self._tokens(context)[-longest_context:], self._last]
            own = self._tokens(text)[:longest_text]
            rows.append(Row([*before, *own, self._last], len(before)))
        means = self._means(rows)
        return means.reshape(-1, 2 * means.shape[2])

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _means(hidden: Tensor, segments: Tensor) -> Tensor:
    """Return means (rows, 2, width) of the second text's vectors, zero where there is none, and of
    all.
    """
    count = segments.sum(1, keepdim=True).clamp(min=1)
    second = (hidden * segments[..., None]).sum(1) / count
    return torch.stack([second, hidden.mean(1)], 1)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield positions of rows in order of length, up to a limit of tokens in all."""
    batch: list[int] = []
    tokens = 0
    for place in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and tokens + lengths[place] > TOKENS_PER_BATCH:
            yield batch
            batch, tokens = [], 0
        batch.append(place)
        tokens += lengths[place]
    if batch:
        yield batch


def merged(state: dict[str, Tensor], adapter: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the published weights plus each adapter's low-rank change."""
    merged = dict(state)
    for name, up in adapter.items():
        if name.endswith(_UP):
            change = up.float() @ adapter[f"{name.removesuffix(_UP)}{_DOWN}"].float()
            weight = f"{name.removeprefix(_TRAINED).removesuffix(_UP)}.weight"
            merged[weight] = state[weight] + change
    return merged
