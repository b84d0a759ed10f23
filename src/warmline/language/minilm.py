"""The MiniLM network over its published weights: tokens to vectors of each token.

all-MiniLM-L6-v2 is a BERT of six layers (Devlin et al. 2019, arXiv:1810.04805) whose token vectors
are averaged (Reimers & Gurevych 2019, arXiv:1908.10084). With this module `tokenizers` does what
would otherwise need the whole of transformers and sentence-transformers.

This module imports torch: only `warmline.engines` loads it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

_PARTS = {
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}


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
        x = self.norm(torch.cat([self._embedded(block).flatten(0, 1) for block in blocks]))
        for layer in self.layers:
            x = layer(x, shapes)
        return _blocks(x, shapes)

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
        heard = torch.cat([self._attended(own) for own in _blocks(asked, shapes)])
        x = self.norm1(x + self.self_attn["out_proj"](heard))
        own: Tensor = self.norm2(x + self.linear2(functional.gelu(self.linear1(x))))
        return own

    def _attended(self, asked: Tensor) -> Tensor:
        """Return attention (tokens, width) from queries, keys, values (rows, length, 3 width)."""
        parts = asked.view(*asked.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        heard = functional.scaled_dot_product_attention(*parts)
        return heard.transpose(1, 2).flatten(2).flatten(0, 1)


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
            for name, ours in _PARTS.items():
                state[f"{target}.{ours}.{kind}"] = weights[f"{source}.{name}.{kind}"]
    return state
