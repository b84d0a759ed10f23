"""The heads that read empathy's mechanisms in a response, learned from EPITOME.

Post and response are read together, with the response as second segment. Besides the levels, the
network learns which words of the response show them (the corpus' rationales), as its authors do.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from augment import heard
from corpora import Pair
from fitting import Batch, Example, Recipe, batched, fit, padded
from network import WIDTH, AdaptedBert
from warmline.language.windows import LEVELS, MECHANISMS

RECIPE = Recipe(epochs=3.5, tokens_per_batch=2000, rate=8e-4)
MAX_CONTEXT_TOKENS = 64
MAX_TEXT_TOKENS = 128
_CLS, _SEP = 101, 102
# Of every other response a stretch is learned besides the whole; some without the post.
_STRETCHES = 0.5
_WITHOUT_POST = 0.3
_RATIONALE_WEIGHT = 0.5
_LEAST_SHOWN = 3


@dataclass(frozen=True)
class Target:
    """Levels by mechanism; for each token, whether it is among the words that show each."""

    levels: tuple[int, ...]
    shown: tuple[tuple[bool, ...], ...]


@dataclass(frozen=True)
class Words:
    """A response's words and, for each, which mechanisms it shows."""

    words: tuple[str, ...]
    shown: tuple[tuple[bool, ...], ...]


class MechanismNetwork(nn.Module):
    """MiniLM with adapters; the means of the response's tokens and of all; logits by level."""

    def __init__(self, bert: AdaptedBert, dropout: float) -> None:
        super().__init__()
        self.bert = bert
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * WIDTH, len(MECHANISMS) * LEVELS)
        self.showing = nn.Linear(WIDTH, len(MECHANISMS))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        hidden = self.bert(batch.tokens, batch.parts, batch.is_token).float()
        every = batch.is_token[..., None]
        own = every & (batch.parts == 1)[..., None]
        means = torch.cat([(hidden * m).sum(1) / m.sum(1) for m in (own, every)], 1)
        levels = self.head(self.dropout(means)).view(-1, len(MECHANISMS), LEVELS)
        return levels, self.showing(self.dropout(hidden))


def shown_words(pair: Pair) -> Words:
    """The words of the response and whether each lies in a rationale of each mechanism."""
    spans, at = [], 0
    words = pair.response.split()
    for word in words:
        start = pair.response.index(word, at)
        at = start + len(word)
        spans.append((start, at))
    marked = []
    for rationales in pair.rationales:
        starts = [(pair.response.find(r.strip()), len(r.strip())) for r in rationales]
        inside = [(s, s + n) for s, n in starts if s >= 0]
        marked.append([any(a < e and s < b for s, e in inside) for a, b in spans])
    return Words(tuple(words), tuple(zip(*marked, strict=True)))


def whole(pair: Pair, words: Words, tokenizer: Tokenizer, random_: random.Random) -> Example:
    """The pair with its labels, as it might be heard."""
    return _example(pair.seeker.split(), words, pair.levels, tokenizer, random_)


def stretch(pair: Pair, words: Words, tokenizer: Tokenizer, random_: random.Random) -> Example:
    """One or two sentences of the response: a mechanism is there if enough of its words are."""
    ends = [i + 1 for i, w in enumerate(words.words) if w[-1] in ".?!"]
    edges = sorted({0, len(words.words), *ends})
    first = random_.randrange(len(edges) - 1)
    past = min(len(edges) - 1, first + random_.choice((1, 1, 2)))
    start, end = edges[first], edges[past]
    part = Words(words.words[start:end], words.shown[start:end])
    levels = []
    for mechanism, level in enumerate(pair.levels):
        here = sum(s[mechanism] for s in part.shown)
        all_ = sum(s[mechanism] for s in words.shown)
        levels.append(level if here >= min(_LEAST_SHOWN, max(1, all_ / 2)) else 0)
    post = [] if random_.random() < _WITHOUT_POST else pair.seeker.split()
    return _example(post, part, levels, tokenizer, random_)


def _example(
    post: Sequence[str],
    words: Words,
    levels: Sequence[int],
    tokenizer: Tokenizer,
    random_: random.Random,
) -> Example:
    context = [word for word, _ in heard(post, random_)]
    own = heard(words.words, random_) or [(words.words[0], 0)]
    ids, sources = _tokens([word for word, _ in own], tokenizer)
    shown = [words.shown[own[s][1]] for s in sources]
    return assembled(_tokens(context, tokenizer)[0], ids, levels, shown)


def assembled(
    context: Sequence[int],
    text: Sequence[int],
    levels: Sequence[int] = (),
    shown: Sequence[tuple[bool, ...]] = (),
) -> Example:
    """[CLS] the end of the post [SEP] the response [SEP]."""
    first = [_CLS, *context[-MAX_CONTEXT_TOKENS:], _SEP]
    second = [*text[:MAX_TEXT_TOKENS], _SEP]
    none = (False,) * len(MECHANISMS)
    marked = (*(none for _ in first), *shown[:MAX_TEXT_TOKENS], none)
    parts = (0,) * len(first) + (1,) * len(second)
    return Example((*first, *second), parts, Target(tuple(levels), marked))


def _tokens(words: Sequence[str], tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Token ids and, for each, the place of its word."""
    if not words:
        return [], []
    read = tokenizer.encode(list(words), is_pretokenized=True, add_special_tokens=False)
    return read.ids, read.word_ids


def train(
    network: MechanismNetwork,
    pairs: Sequence[Pair],
    tokenizer: Tokenizer,
    recipe: Recipe,
    seed: int,
) -> None:
    """Fit the network to these pairs and to stretches of them."""
    words = [shown_words(pair) for pair in pairs]
    counts = np.array(
        [np.bincount([p.levels[m] for p in pairs], minlength=LEVELS) for m in range(3)]
    )
    weights = torch.tensor((len(pairs) / (LEVELS * counts)) ** 0.5, dtype=torch.float32)

    def examples_of(random_: random.Random) -> list[Example]:
        both = list(zip(pairs, words, strict=True))
        stretches = [pair for pair in both if random_.random() < _STRETCHES]
        return [
            *(whole(pair, own, tokenizer, random_) for pair, own in both),
            *(stretch(pair, own, tokenizer, random_) for pair, own in stretches),
        ]

    def loss_of(batch: Batch) -> Tensor:
        levels, showing = network(batch)
        wanted = torch.tensor([t.levels for t in batch.targets])
        by_mechanism = [
            nn.functional.cross_entropy(levels[:, m], wanted[:, m], weights[m])
            for m in range(len(MECHANISMS))
        ]
        return torch.stack(by_mechanism).sum() + _RATIONALE_WEIGHT * _showing_loss(batch, showing)

    fit(network, examples_of, loss_of, recipe, seed)


def _showing_loss(batch: Batch, showing: Tensor) -> Tensor:
    wanted = torch.zeros_like(showing)
    for row, target in enumerate(batch.targets):
        wanted[row, : len(target.shown)] = torch.tensor(target.shown, dtype=torch.float32)
    losses = nn.functional.binary_cross_entropy_with_logits(showing, wanted, reduction="none")
    own = (batch.is_token & (batch.parts == 1))[..., None]
    return (losses * own).sum() / own.sum()


@torch.inference_mode()
def logits(
    network: MechanismNetwork, pairs: Sequence[tuple[str, str]], tokenizer: Tokenizer
) -> NDArray[np.float32]:
    """Logits (pairs, mechanisms, levels)."""
    examples = [
        assembled(*(_tokens(part.split(), tokenizer)[0] for part in pair)) for pair in pairs
    ]
    found = np.empty((len(pairs), len(MECHANISMS), LEVELS), np.float32)
    order = sorted(range(len(pairs)), key=lambda i: len(examples[i].ids))
    for batch in batched(examples, 4000, order):
        found[batch] = network(padded([examples[i] for i in batch]))[0].numpy()
    return found
