"""MiniLM with low-rank adapters, for training on a CPU: its own weights stay as published.

Each matrix W of the upper layers becomes W + U D with U (rows, rank) and D (rank, columns), of
which alone U and D learn (LoRA: Hu et al. 2021, arXiv:2106.09685). Activations are bfloat16.
"""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from warmline.language.encoders import published_weights

WIDTH = 384
HEADS = 12
NORM_EPS = 1e-12
_FAR = -1e4


class AdaptedMatrix(nn.Module):
    """A frozen linear layer plus a low-rank part that learns; at first it changes nothing."""

    def __init__(self, weight: Tensor, bias: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.register_buffer("weight", weight.bfloat16(), persistent=False)
        self.register_buffer("bias", bias.bfloat16(), persistent=False)
        self.down = nn.Parameter(torch.randn(rank, columns) / math.sqrt(columns))
        self.up = nn.Parameter(torch.zeros(rows, rank))

    def forward(self, x: Tensor) -> Tensor:
        low = functional.linear(functional.linear(x, self.down.to(x.dtype)), self.up.to(x.dtype))
        return functional.linear(x, self.weight, self.bias) + low


class AdaptedLayer(nn.Module):
    """One layer of BERT, after its attention and after its feed-forward part normalised."""

    def __init__(self, published: dict[str, Tensor], index: int, rank: int) -> None:
        super().__init__()
        own = f"layers.{index}."

        def matrix(name: str) -> AdaptedMatrix:
            weight, bias = (published[f"{own}{name}.{kind}"] for kind in ("weight", "bias"))
            return AdaptedMatrix(weight, bias, rank)

        self.in_proj = matrix("self_attn.in_proj")
        self.out_proj = matrix("self_attn.out_proj")
        self.linear1 = matrix("linear1")
        self.linear2 = matrix("linear2")
        self.norms = [
            [published[f"{own}norm{n}.{kind}"].bfloat16() for kind in ("weight", "bias")]
            for n in (1, 2)
        ]

    def forward(self, x: Tensor, far: Tensor) -> Tensor:
        batch, length, width = x.shape
        size = width // HEADS
        q, k, v = self.in_proj(x).view(batch, length, 3, HEADS, size).permute(2, 0, 3, 1, 4)
        attention = torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(size) + far, -1)
        heard = (attention @ v).transpose(1, 2).reshape(batch, length, width)
        x = functional.layer_norm(x + self.out_proj(heard), (width,), *self.norms[0], NORM_EPS)
        own = self.linear2(functional.gelu(self.linear1(x)))
        return functional.layer_norm(x + own, (width,), *self.norms[1], NORM_EPS)


class AdaptedBert(nn.Module):
    """Tokens (batch, length) to vectors of each token; the first `frozen` layers do not learn."""

    def __init__(self, weights: Path, rank: int, frozen: int, layers: int = 6) -> None:
        super().__init__()
        published = published_weights(weights)
        self.frozen = frozen
        self.published = {k: v for k, v in published.items() if not k.startswith("layers.")}
        self.layers = nn.ModuleList(AdaptedLayer(published, i, rank) for i in range(layers))
        for layer in self.layers[:frozen]:
            layer.requires_grad_(False)

    def forward(self, tokens: Tensor, segments: Tensor, is_token: Tensor) -> Tensor:
        far = torch.zeros(is_token.shape, dtype=torch.bfloat16).masked_fill(~is_token, _FAR)
        far = far[:, None, None, :]
        with torch.no_grad():
            x = self._embedded(tokens, segments)
            for layer in self.layers[: self.frozen]:
                x = layer(x, far)
        for layer in self.layers[self.frozen :]:
            x = layer(x, far)
        return x

    def adapter(self) -> dict[str, Tensor]:
        """What was learned, float16, by the names that `reading_encoder` merges it under."""
        found = {}
        for index, layer in enumerate(self.layers):
            for name, part in layer.named_children():
                if index >= self.frozen:
                    own = "self_attn." if name.endswith("_proj") else ""
                    place = f"encoder.layers.{index}.{own}{name}"
                    found[f"{place}.up"] = part.up.detach().half()
                    found[f"{place}.down"] = part.down.detach().half()
        return found

    def begin_with(self, adapter: dict[str, Tensor]) -> None:
        """Go on from what another network of the same shape has learned."""
        for index, layer in enumerate(self.layers[self.frozen :], self.frozen):
            for name, part in layer.named_children():
                own = "self_attn." if name.endswith("_proj") else ""
                place = f"encoder.layers.{index}.{own}{name}"
                part.up.data.copy_(adapter[f"{place}.up"])
                part.down.data.copy_(adapter[f"{place}.down"])

    def _embedded(self, tokens: Tensor, segments: Tensor) -> Tensor:
        p = self.published
        x = functional.embedding(tokens, p["words.weight"]) + functional.embedding(
            segments, p["segments.weight"]
        )
        x = x + p["positions.weight"][: tokens.shape[1]]
        x = functional.layer_norm(x, (WIDTH,), p["norm.weight"], p["norm.bias"], NORM_EPS)
        return x.bfloat16()
