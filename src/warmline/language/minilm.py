"""Sentences as vectors by meaning: the MiniLM network over its published weights.

all-MiniLM-L6-v2 is a BERT of six layers (Devlin et al. 2019, arXiv:1810.04805) whose token vectors
are averaged and scaled to length 1 (Reimers & Gurevych 2019, arXiv:1908.10084). torch's own
TransformerEncoder is the same network under other names, so that this module and `tokenizers` do
what would otherwise need the whole of transformers and sentence-transformers.

This module imports torch: only `warmline.engines` loads it.
"""

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

MAX_TOKENS = 256
BATCH_SIZE = 32

_PARTS = {
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}


class SentenceEncoder:
    """Text to vectors of length 1, whose dot product is their cosine similarity."""

    def __init__(self, weights: Path, tokenizer: Path, config: Path, device: torch.device) -> None:
        self._network = Bert(json.loads(config.read_text(encoding="utf-8")))
        self._network.load_state_dict(published_weights(weights))
        self._network.eval().requires_grad_(False).to(device)
        self._device = device
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._network.words.embedding_dim

    def encode(self, sentences: list[str]) -> NDArray[np.float32]:
        """Vectors (sentences, 384), float32, in the order given; a text is cut at 256 tokens."""
        vectors = np.empty((len(sentences), self.dimension), np.float32)
        # Alike lengths go together, so that little is computed for padding.
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i]))
        for start in range(0, len(order), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            vectors[batch] = self._encode_batch([sentences[i] for i in batch])
        return vectors

    @torch.inference_mode()
    def _encode_batch(self, sentences: list[str]) -> NDArray[np.float32]:
        encodings = self._tokenizer.encode_batch(sentences)
        tokens = torch.tensor([e.ids for e in encodings], device=self._device)
        is_token = torch.tensor([e.attention_mask for e in encodings], device=self._device).bool()
        hidden = self._network(tokens, is_token) * is_token[..., None]
        means = hidden.sum(1) / is_token.sum(1, keepdim=True)
        vectors: NDArray[np.float32] = nn.functional.normalize(means).cpu().numpy()
        return vectors


class Bert(nn.Module):
    """BERT's encoder: tokens (batch, length) to vectors of each token.

    `segments` says of each token whether it belongs to the first (0) or the second text (1).
    """

    def __init__(self, config: dict[str, int]) -> None:
        super().__init__()
        width, norm_eps = config["hidden_size"], config["layer_norm_eps"]
        self.words = nn.Embedding(config["vocab_size"], width)
        self.positions = nn.Embedding(config["max_position_embeddings"], width)
        self.segments = nn.Embedding(config["type_vocab_size"], width)
        self.norm = nn.LayerNorm(width, norm_eps)
        layer = nn.TransformerEncoderLayer(
            d_model=width,
            nhead=config["num_attention_heads"],
            dim_feedforward=config["intermediate_size"],
            activation="gelu",
            layer_norm_eps=norm_eps,
            batch_first=True,
        )
        self.encoder = nn.TransformerEncoder(
            layer, config["num_hidden_layers"], enable_nested_tensor=False
        )

    def forward(self, tokens: Tensor, is_token: Tensor, segments: Tensor | None = None) -> Tensor:
        """Vectors (batch, length, width)."""
        places = self.positions.weight[: tokens.shape[1]]
        segment = self.segments.weight[0] if segments is None else self.segments(segments)
        x = self.norm(self.words(tokens) + places + segment)
        hidden: Tensor = self.encoder(x, src_key_padding_mask=~is_token)
        return hidden


def published_weights(path: Path) -> dict[str, Tensor]:
    """BERT's published weights under the names of `Bert`; the unused pooler is left out."""
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
        source, target = f"encoder.layer.{i}", f"encoder.layers.{i}"
        for kind in ("weight", "bias"):
            attention = [f"{source}.attention.self.{n}.{kind}" for n in ("query", "key", "value")]
            joined = torch.cat([weights[name] for name in attention])
            state[f"{target}.self_attn.in_proj_{kind}"] = joined
            for name, ours in _PARTS.items():
                state[f"{target}.{ours}.{kind}"] = weights[f"{source}.{name}.{kind}"]
    return state
