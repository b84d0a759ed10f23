"""MiniLM with a low-rank adapter merged in: texts, alone or after what they answer, as vectors.

The adapters are learned by `training/`; see `networks/MODEL_CARD.md`. This module imports torch:
only `warmline.engines` loads it.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor

from warmline.language.sentence_encoder import Bert, published_weights

TOKENS_PER_BATCH = 2048
_UP, _DOWN = ".up", ".down"


class ReadingEncoder:
    """Texts to the means of their token vectors, as the heads of one adapter read them."""

    def __init__(
        self,
        weights: Path,
        tokenizer: Path,
        config: Path,
        adapter: Path | None,
        device: torch.device,
        number: torch.dtype,
    ) -> None:
        """Without an adapter it is MiniLM as published.

        `number` is the kind of number to compute with: float32 or bfloat16.
        """
        self._network = Bert(json.loads(config.read_text(encoding="utf-8")))
        self._network.load_state_dict(
            _merged(published_weights(weights), load_file(adapter) if adapter else {})
        )
        self._network.eval().requires_grad_(False).to(device, number)
        self._device = device
        self._number = number
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        marks = self._tokenizer.encode("").ids
        self._first, self._last = marks[0], marks[-1]

    def texts(self, texts: Sequence[str], longest: int) -> NDArray[np.float32]:
        """Means (texts, 384) of all tokens; a text is cut at `longest` tokens."""
        ids = [self._tokens(text)[: longest - 2] for text in texts]
        rows = [([self._first, *own, self._last], 0) for own in ids]
        return self._means(rows)[:, 1]

    def pairs(
        self, pairs: Sequence[tuple[str, str]], longest_context: int, longest_text: int
    ) -> NDArray[np.float32]:
        """Means (pairs, 768) of what was said in answer, then of all, for (context, text) pairs.

        Of a context the last `longest_context` tokens are read, of a text the first `longest_text`.
        """
        rows = []
        for context, text in pairs:
            before = [self._first, *self._tokens(context)[-longest_context:], self._last]
            rows.append(([*before, *self._tokens(text)[:longest_text], self._last], len(before)))
        means = self._means(rows)
        return means.reshape(len(means), -1)

    @property
    def _is_short(self) -> bool:
        return self._number == torch.bfloat16

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _means(self, rows: Sequence[tuple[list[int], int]]) -> NDArray[np.float32]:
        """Means (rows, 2, width) of the tokens from the second number on, and of all."""
        found = np.empty((len(rows), 2, self._network.words.embedding_dim), np.float32)
        for batch in _batches([len(ids) for ids, _ in rows]):
            found[batch] = self._means_of_batch([rows[i] for i in batch])
        return found

    @torch.inference_mode()
    def _means_of_batch(self, rows: Sequence[tuple[list[int], int]]) -> NDArray[np.float32]:
        length = max(len(ids) for ids, _ in rows)
        tokens = torch.zeros(len(rows), length, dtype=torch.long)
        is_token = torch.zeros_like(tokens, dtype=torch.bool)
        second = torch.zeros_like(tokens, dtype=torch.bool)
        for row, (ids, start) in enumerate(rows):
            tokens[row, : len(ids)] = torch.tensor(ids)
            is_token[row, : len(ids)] = True
            # A text alone is all its own, and is the first segment.
            second[row, start : len(ids)] = start > 0
        tokens, is_token, second = (t.to(self._device) for t in (tokens, is_token, second))
        # The weights are cast already; autocast keeps torch off a path that is slower with them.
        with torch.autocast(self._device.type, self._number, enabled=self._is_short):
            hidden = self._network(tokens, is_token, second.long()).float()
        means: NDArray[np.float32] = (
            torch.stack([_mean(hidden, part) for part in (second, is_token)], 1).cpu().numpy()
        )
        return means


def _mean(hidden: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the chosen tokens' vectors; zero where none is chosen."""
    return (hidden * chosen[..., None]).sum(1) / chosen.sum(1, keepdim=True).clamp(min=1)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Places of rows of alike length, so many that padded they are not too many tokens."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batch and lengths[place] * (len(batch) + 1) > TOKENS_PER_BATCH:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _merged(state: dict[str, Tensor], adapter: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published weights plus each adapter's low-rank change."""
    merged = dict(state)
    for name, up in adapter.items():
        if name.endswith(_UP):
            place = name.removesuffix(_UP)
            joint = "_weight" if place.endswith("in_proj") else ".weight"
            change = up.float() @ adapter[f"{place}{_DOWN}"].float()
            merged[f"{place}{joint}"] = state[f"{place}{joint}"] + change
    return merged
