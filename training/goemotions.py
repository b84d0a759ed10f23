"""The heads that hear emotions in a customer's words, learned from GoEmotions."""

import random
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from augment import as_spoken
from corpora import Comment
from fitting import Batch, Example, Recipe, batched, fit, padded
from network import WIDTH, AdaptedBert
from warmline.language.windows import EMOTIONS, FEELINGS

RECIPE = Recipe(epochs=2.0, tokens_per_batch=1600, rate=1.2e-3)
MAX_TOKENS = 64
# What the heads say: each emotion, then each feeling of the ledger, which unites several.
OUTPUTS = (*EMOTIONS, *FEELINGS)


class EmotionNetwork(nn.Module):
    """MiniLM with adapters; the mean of the token vectors; one logit for each output."""

    def __init__(self, bert: AdaptedBert, dropout: float) -> None:
        super().__init__()
        self.bert = bert
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(WIDTH, len(OUTPUTS))

    def forward(self, batch: Batch) -> Tensor:
        hidden = self.bert(batch.tokens, torch.zeros_like(batch.tokens), batch.is_token).float()
        is_token = batch.is_token[..., None]
        means = (hidden * is_token).sum(1) / is_token.sum(1)
        return self.head(self.dropout(means))


def targets(comment: Comment) -> tuple[float, ...]:
    """1 for each output that people found in the comment, else 0."""
    feelings = [bool(comment.emotions & members) for members in FEELINGS.values()]
    return (*(float(e in comment.emotions) for e in EMOTIONS), *map(float, feelings))


def example(comment: Comment, text: str, tokenizer: Tokenizer) -> Example:
    """A text as the network reads it."""
    ids = tuple(tokenizer.encode(text).ids)
    if len(ids) > MAX_TOKENS:
        ids = (*ids[: MAX_TOKENS - 1], ids[-1])
    return Example(ids, (1,) * len(ids), targets(comment))


def train(
    network: EmotionNetwork,
    comments: Sequence[Comment],
    tokenizer: Tokenizer,
    recipe: Recipe,
    seed: int,
) -> None:
    """Fit the network to these comments, heard differently in every epoch."""

    def examples_of(random_: random.Random) -> list[Example]:
        return [example(c, as_spoken(c.text, random_), tokenizer) for c in comments]

    def loss_of(batch: Batch) -> Tensor:
        wanted = torch.tensor(batch.targets)
        losses = nn.functional.binary_cross_entropy_with_logits(
            network(batch), wanted, reduction="none"
        )
        return losses.sum(1).mean()

    fit(network, examples_of, loss_of, recipe, seed)


@torch.inference_mode()
def logits(
    network: EmotionNetwork, texts: Sequence[str], tokenizer: Tokenizer
) -> NDArray[np.float32]:
    """Logits (texts, outputs)."""
    none = Comment("", frozenset())
    examples = [example(none, text, tokenizer) for text in texts]
    found = np.empty((len(texts), len(OUTPUTS)), np.float32)
    order = sorted(range(len(texts)), key=lambda i: len(examples[i].ids))
    for batch in batched(examples, 4000, order):
        found[batch] = network(padded([examples[i] for i in batch])).numpy()
    return found
