"""Encoders of texts: BERT, as MiniLM and multilingual-e5-small have it, and MiniLM itself.

all-MiniLM-L6-v2 is a BERT of six layers (Devlin et al. 2019, arXiv:1810.04805) whose token vectors
are averaged (Reimers & Gurevych 2019, arXiv:1908.10084).

This module imports torch: only `warmline.models.engines` loads it.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

_MINILM_PARTS = {
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}

# How much a token attends to another, before the exponential: sums of more would not fit into
# float32. In an hour's call the largest is 44.
_LARGEST_SCORE = 80.0


class Block(NamedTuple):
    """Rows of one length, so that nothing is computed for padding: tensors (rows, length).

    `segments` tells for each token whether it belongs to the first (0) or the second text (1).
    """

    tokens: Tensor
    segments: Tensor


class Bert(nn.Module):
    """BERT's encoder: blocks of tokens to blocks of vectors (rows, length, width)."""

    def __init__(self, config: dict[str, int]) -> None:
        super().__init__()
        width, norm_eps = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.positions = nn.Embedding(config["max_position_embeddings"], width)
        self.segments = nn.Embedding(config["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, norm_eps)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config["num_hidden_layers"]))

    def forward(self, blocks: Sequence[Block]) -> list[Tensor]:
        """Return the vectors of each block; matrices take the tokens of all blocks together."""
        shapes = [block.tokens.shape for block in blocks]
        return _blocks(self.through(self.embedded(blocks), shapes), shapes)

    def embedded(self, blocks: Sequence[Block]) -> Tensor:
        """Return what the first layer reads: the tokens of all blocks (tokens, width)."""
        found: Tensor = self.norm(torch.cat([self._embedded(own).flatten(0, 1) for own in blocks]))
        return found

    def through(
        self, x: Tensor, shapes: Sequence[torch.Size], first: int = 0, past: int | None = None
    ) -> Tensor:
        """Return the tokens of blocks of these shapes after the layers [first, past)."""
        for layer in self.layers[first:past]:
            x = layer(x, shapes)
        return x

    def _embedded(self, block: Block) -> Tensor:
        places = self.positions.weight[: block.tokens.shape[1]]
        found: Tensor = self.words(block.tokens) + places + self.segments(block.segments)
        return found


class _Layer(nn.Module):
    """One layer, normalised after its attention and after its feed-forward part."""

    def __init__(self, config: dict[str, int]) -> None:
        super().__init__()
        width, norm_eps = config["hidden_size"], config["layer_norm_eps"]
        self.heads = config["num_attention_heads"]
        self.self_attn = nn.ModuleDict(
            {"in_proj": nn.Linear(width, 3 * width), "out_proj": nn.Linear(width, width)}
        )
        self.norm1 = nn.LayerNorm(width, norm_eps)
        self.linear1 = nn.Linear(width, config["intermediate_size"])
        self.linear2 = nn.Linear(config["intermediate_size"], width)
        self.norm2 = nn.LayerNorm(width, norm_eps)

    def forward(self, x: Tensor, shapes: Sequence[torch.Size]) -> Tensor:
        """Return vectors (tokens, width) of all blocks, each row attending to itself alone."""
        asked = self.self_attn["in_proj"](x)
        heard = torch.empty_like(x)
        for block, place in zip(_blocks(asked, shapes), _blocks(heard, shapes), strict=True):
            self._attend(block, place)
        x = self.norm1(x + self.self_attn["out_proj"](heard))
        own: Tensor = self.norm2(x + self.linear2(functional.gelu(self.linear1(x))))
        return own

    def _attend(self, asked: Tensor, heard: Tensor) -> None:
        """Write attention (rows, length, width) from queries, keys, values (.., .., 3 width).

        For texts this short, products in float32 take a CPU two thirds of the time of torch's own
        attention in bfloat16, and unlike those in bfloat16 no preparation for each shape.
        """
        rows, length, width = heard.shape
        by_head = asked.view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = torch.empty(by_head.shape, device=asked.device).copy_(by_head).flatten(1, 2)
        scale = (width / self.heads) ** -0.5
        scores = torch.baddbmm(q.new_empty(1), q, k.transpose(1, 2), beta=0, alpha=scale)
        # What torch.softmax gives, which is slow for rows shorter than a register.
        weights = scores.clamp_(-_LARGEST_SCORE, _LARGEST_SCORE).exp_()
        own = torch.bmm(weights, v).div_(weights.sum(-1, keepdim=True))
        heard.view(rows, length, self.heads, -1).copy_(
            own.view(rows, self.heads, length, -1).transpose(1, 2)
        )


def _blocks(x: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    """Return packed tokens (tokens, width) as blocks (rows, length, width) again."""
    parts = torch.split(x, [shape.numel() for shape in shapes])
    return [part.view(*shape, -1) for part, shape in zip(parts, shapes, strict=True)]


def published_weights(path: Path) -> dict[str, Tensor]:
    """Return BERT's published weights under the names of `Bert`; the unused pooler is left out."""
    weights = load_file(path)
    state = {
        "words.weight": weights["embeddings.word_embeddings.weight"],
        "positions.weight": weights["embeddings.position_embeddings.weight"],
        "segments.weight": weights["embeddings.token_type_embeddings.weight"],
        "norm.weight": weights["embeddings.LayerNorm.weight"],
        "norm.bias": weights["embeddings.LayerNorm.bias"],
    }
    layers = {int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer.")}
    for i in sorted(layers):
        source, target = f"encoder.layer.{i}", f"layers.{i}"
        for kind in ("weight", "bias"):
            attention = [f"{source}.attention.self.{n}.{kind}" for n in ("query", "key", "value")]
            joined = torch.cat([weights[name] for name in attention])
            state[f"{target}.self_attn.in_proj.{kind}"] = joined
            for name, ours in _MINILM_PARTS.items():
                state[f"{target}.{ours}.{kind}"] = weights[f"{source}.{name}.{kind}"]
    return state


# MiniLM with a low-rank adapter merged in: encodes texts, alone or with what they answer.


TOKENS_PER_BATCH = 2048
_UP, _DOWN = ".up", ".down"
_TRAINED = "encoder."  # the name that training gives the network with these layers


# Means of texts by their tokens, so that none is read twice in a call.
Known = dict[tuple[int, ...], NDArray[np.float32]]
# A text's words, and the ranges of them [first, past) that are its parts.
Words = tuple[str, ...]
Parts = tuple[tuple[int, int], ...]
Parted = tuple[Words, Parts]


class Row(NamedTuple):
    """Tokens of one text, or of two, of which the second begins at `second`.

    Of the tokens in each of `parts` [first, past) the mean is wanted, beside that of all.
    """

    ids: list[int]
    second: int | None = None
    parts: Parts = ()


class Means(NamedTuple):
    """Means of vectors: of all tokens of each row (rows, width), of its parts (parts, width)."""

    rows: NDArray[np.float32]
    parts: list[NDArray[np.float32]]


class Beside(NamedTuple):
    """Another network that reads some of the rows, too: `rows`, whose means are added to `known`.

    Its layers before `first` are those of the one that reads all rows, and computed once.
    """

    network: Bert
    first: int
    rows: Collection[tuple[int, ...]]
    known: Known

    def read(self, x: Tensor, alike: Sequence[Sequence[Row]]) -> None:
        """Read on from the tokens of all rows, in blocks, as the layers before have left them."""
        own = [[row for row in block if tuple(row.ids) in self.rows] for block in alike]
        shapes = [torch.Size((len(rows), len(rows[0].ids))) for rows in own if rows]
        if not shapes:
            return
        every = [row.ids for block in alike for row in block]
        chosen = torch.tensor([tuple(ids) in self.rows for ids in every])
        tokens = chosen.repeat_interleave(torch.tensor([len(ids) for ids in every]))
        states = self.network.through(x[tokens.to(x.device)], shapes, self.first)
        means = torch.cat([block.float().mean(1) for block in _blocks(states, shapes)])
        read = (tuple(row.ids) for rows in own for row in rows)
        self.known.update(zip(read, means.cpu().numpy(), strict=True))


class MeanEncoder:
    """A network that turns rows of tokens into the means of their vectors."""

    def __init__(self, network: Bert, device: torch.device, number: torch.dtype) -> None:
        """Take the network; `number` is the number format to compute in: float32 or bfloat16."""
        self.network = network.eval().requires_grad_(False).to(device, number)
        self._device = device

    def _means(self, rows: Sequence[Row], beside: Beside | None = None) -> Means:
        """Return the means of each row's vectors, and of those in each of its parts."""
        found = Means(np.empty((len(rows), self.network.words.embedding_dim), np.float32), [])
        parts: dict[int, NDArray[np.float32]] = {}
        for batch in _batches([len(row.ids) for row in rows]):
            read = self._means_of_batch([rows[i] for i in batch], beside)
            found.rows[batch] = read.rows
            parts |= zip(batch, read.parts, strict=True)
        found.parts.extend(parts[i] for i in range(len(rows)))
        return found

    @torch.inference_mode()
    def _means_of_batch(self, rows: Sequence[Row], beside: Beside | None) -> Means:
        """Return the means of rows in order of length."""
        alike = [list(own) for _, own in groupby(rows, lambda row: len(row.ids))]
        hidden = [own.float() for own in self._states(alike, beside)]
        whole = torch.cat([own.mean(1) for own in hidden])
        parts = [
            torch.stack([states[first:past].mean(0) for first, past in row.parts]).cpu().numpy()
            if row.parts
            else np.empty((0, whole.shape[1]), np.float32)
            for own, read in zip(alike, hidden, strict=True)
            for row, states in zip(own, read, strict=True)
        ]
        return Means(whole.cpu().numpy(), parts)

    def _states(self, alike: Sequence[Sequence[Row]], beside: Beside | None) -> list[Tensor]:
        """Return vectors (rows, length, width) of rows in blocks of one length."""
        blocks = [self._block(own) for own in alike]
        if beside is None:
            found: list[Tensor] = self.network(blocks)
            return found
        shapes = [block.tokens.shape for block in blocks]
        x = self.network.through(self.network.embedded(blocks), shapes, 0, beside.first)
        beside.read(x, alike)
        return _blocks(self.network.through(x, shapes, beside.first), shapes)

    def _block(self, rows: Sequence[Row]) -> Block:
        tokens = torch.tensor([row.ids for row in rows])
        length = tokens.shape[1]
        # A single text has only the first segment.
        starts = torch.tensor([length if row.second is None else row.second for row in rows])
        segments = torch.arange(length) >= starts[:, None]
        return Block(tokens.to(self._device), segments.long().to(self._device))


# Another encoder, texts of which its means are wanted, too, and to what these are added.
AlsoRead = tuple["ReadingEncoder", Collection[str], Known]


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
        published, self._tokenizer = _published(weights, tokenizer, number)
        changes = load_file(adapter) if adapter else {}
        network.load_state_dict(merged(published, changes), assign=True)
        changed = [int(name.split(".")[2]) for name in changes if name.endswith(_UP)]
        self._unchanged = min(changed, default=len(network.layers))  # so many layers, the lowest
        super().__init__(network, device, number)
        marks = self._tokenizer.encode("").ids
        self._first, self._last = marks[0], marks[-1]

    def texts(
        self,
        texts: Sequence[str],
        longest: int,
        known: Known | None = None,
        also: AlsoRead | None = None,
    ) -> NDArray[np.float32]:
        """Return means (texts, 384) of all tokens; a text is cut at `longest` tokens.

        `known` are means that this encoder gave before; those that it gives now are added. What
        another encoder is to read `also` takes it only the layers that an adapter changes.
        """
        found = {} if known is None else known
        row_of = dict(zip(texts, self._rows(texts, longest), strict=True))
        new = [row for row in dict.fromkeys(row_of.values()) if row not in found]
        beside = None
        if also is not None:
            other, of_texts, read = also
            wanted = {row_of[text] for text in of_texts} - read.keys()
            first = min(self._unchanged, other._unchanged)
            beside = Beside(other.network, first, wanted, read)
        means = self._means([Row(list(row)) for row in new], beside).rows
        found.update(zip(new, means, strict=True))
        return np.stack([found[row_of[text]] for text in texts]) if texts else means

    def _rows(self, texts: Sequence[str], longest: int) -> list[tuple[int, ...]]:
        cut = longest - 2
        return [(self._first, *own[:cut], self._last) for own in self._tokens(texts)]

    def pairs(
        self, pairs: Sequence[tuple[str, str]], longest_context: int, longest_text: int
    ) -> NDArray[np.float32]:
        """Return means (pairs, 768) of the reply, then of all, for (context, text) pairs.

        Of a context the last `longest_context` tokens are read, of a text the first `longest_text`.
        """
        rows = []
        contexts = self._tokens([context for context, _ in pairs])
        replies = self._tokens([text for _, text in pairs])
        for context, reply in zip(contexts, replies, strict=True):
            before = [self._first, *context[-longest_context:], self._last]
            ids = [*before, *reply[:longest_text], self._last]
            rows.append(Row(ids, len(before), ((len(before), len(ids)),)))
        means = self._means(rows)
        answered = np.concatenate(means.parts) if rows else means.rows
        return np.concatenate([answered, means.rows], 1)

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        distinct = list(dict.fromkeys(texts))
        read = self._tokenizer.encode_batch_fast(distinct, add_special_tokens=False)
        ids = {text: own.ids for text, own in zip(distinct, read, strict=True)}
        return [ids[text] for text in texts]


@lru_cache(maxsize=1)
def _published(
    weights: Path, tokenizer: Path, number: torch.dtype
) -> tuple[dict[str, Tensor], Tokenizer]:
    """Return weights, those of words in `number`, and the tokenizer: no adapter changes them."""
    found, cut = published_weights(weights), Tokenizer.from_file(str(tokenizer))
    cut.no_truncation()
    cut.no_padding()
    return found | {"words.weight": found["words.weight"].to(number)}, cut


def cut_at(row: Row, longest: int) -> Row:
    """Return the row with its first tokens and its last one, which parts beyond it have."""
    if len(row.ids) <= longest:
        return row
    end = longest - 1
    parts = tuple((min(first, end), min(past, longest)) for first, past in row.parts)
    return Row([*row.ids[:end], row.ids[-1]], row.second, parts)


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
