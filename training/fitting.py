"""Tokens in batches of alike length, and the loop that fits adapters and heads to them."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from warmline.models import ModelStore
from warmline.models.catalogue import SENTENCES

_WARM_UP = 0.06
_AVERAGED_LAST = 0.35
# Batches are cut from stretches of this many, sorted by length, so that little is padding.
_STRETCH = 50


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to learn."""

    epochs: float
    tokens_per_batch: int
    rate: float
    rank: int = 16
    frozen: int = 2
    weight_decay: float = 0.01
    dropout: float = 0.1


@dataclass(frozen=True)
class Example:
    """Token ids, which part each is of (0 context, 1 text), and what is to be learned from it."""

    ids: tuple[int, ...]
    parts: tuple[int, ...]
    target: object


@dataclass(frozen=True)
class Batch:
    """Examples padded to one length; tensors are (examples, length)."""

    tokens: Tensor
    parts: Tensor
    is_token: Tensor
    targets: tuple[object, ...]


def published(store: ModelStore) -> tuple[Path, Tokenizer]:
    """The weights of MiniLM, and its tokenizer without padding or truncation."""
    tokenizer = Tokenizer.from_file(str(store.path_of(SENTENCES, "tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return store.path_of(SENTENCES), tokenizer


def batched(examples: Sequence[Example], tokens: int, order: Sequence[int]) -> Iterator[list[int]]:
    """Indices of batches of at most so many tokens, padding counted."""
    chosen: list[int] = []
    for index in order:
        longest = max(len(examples[i].ids) for i in (*chosen, index))
        if chosen and longest * (len(chosen) + 1) > tokens:
            yield chosen
            chosen = []
        chosen.append(index)
    if chosen:
        yield chosen


def shuffled(examples: Sequence[Example], tokens: int, random_: random.Random) -> list[list[int]]:
    """Batches for one epoch in random order, of alike length within each."""
    order = list(range(len(examples)))
    random_.shuffle(order)
    per_batch = max(1, tokens * len(order) // sum(len(e.ids) for e in examples))
    size = _STRETCH * per_batch
    batches = []
    for start in range(0, len(order), size):
        stretch = sorted(order[start : start + size], key=lambda i: len(examples[i].ids))
        batches += list(batched(examples, tokens, stretch))
    random_.shuffle(batches)
    return batches


def padded(examples: Sequence[Example]) -> Batch:
    """Examples as tensors."""
    length = max(len(e.ids) for e in examples)
    tokens = torch.zeros(len(examples), length, dtype=torch.long)
    parts = torch.zeros_like(tokens)
    is_token = torch.zeros_like(tokens, dtype=torch.bool)
    for row, example in enumerate(examples):
        own = len(example.ids)
        tokens[row, :own] = torch.tensor(example.ids)
        parts[row, :own] = torch.tensor(example.parts)
        is_token[row, :own] = True
    return Batch(tokens, parts, is_token, tuple(e.target for e in examples))


def fit(
    model: nn.Module,
    examples_of: Callable[[random.Random], Sequence[Example]],
    loss_of: Callable[[Batch], Tensor],
    recipe: Recipe,
    seed: int,
) -> None:
    """Learn; at the end the model has the mean of its weights over the last stretch of the way.

    `examples_of` gives the examples of one epoch, augmented anew.
    """
    random_ = random.Random(seed)
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=0.0, weight_decay=recipe.weight_decay)
    total, done, started = 0, 0, time.perf_counter()
    means = [torch.zeros_like(p) for p in learning]
    averaged = 0
    model.train()
    while not total or done < total:
        examples = examples_of(random_)
        batches = shuffled(examples, recipe.tokens_per_batch, random_)
        total = total or int(recipe.epochs * len(batches))
        for batch in batches[: total - done]:
            share = done / total
            warm, cool = share / _WARM_UP, (1 - share) / (1 - _WARM_UP)
            optimizer.param_groups[0]["lr"] = recipe.rate * min(warm, cool, 1.0)
            loss = loss_of(padded([examples[i] for i in batch]))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            done += 1
            if share >= 1 - _AVERAGED_LAST:
                averaged += 1
                for mean, p in zip(means, learning, strict=True):
                    mean += (p.detach() - mean) / averaged
            if done % 50 == 0:
                seconds = time.perf_counter() - started
                print(f"  step {done}/{total}  loss {loss.item():.3f}  {seconds:.0f} s", flush=True)
    for p, mean in zip(learning, means, strict=True):
        p.data.copy_(mean)
    model.eval()
