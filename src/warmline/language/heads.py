"""The small trained layers that read MiniLM's vectors, beside the adapters they were learned with.

What they were learned from, and how well they do, is in `networks/MODEL_CARD.md`; thresholds and
digests are in `networks/networks.toml`.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_FOLDER = Path(__file__).parent / "networks"


@dataclass(frozen=True, eq=False)
class Head:
    """One linear layer: vectors (texts, width) to logits (texts, outputs)."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the layer says of these vectors."""
        found: NDArray[np.float32] = vectors @ self.weight.T + self.bias
        return found


def adapter_file(name: str) -> Path:
    """The file with adapter and head of `emotions` or `mechanisms`."""
    return _FOLDER / f"{name}.safetensors"


@cache
def head(name: str) -> Head:
    """The head of `emotions` or `mechanisms`."""
    from safetensors.numpy import load_file

    stored = load_file(adapter_file(name))
    return Head(*(stored[f"head.{part}"].astype(np.float32) for part in ("weight", "bias")))


@cache
def network_settings(name: str) -> dict[str, Any]:
    """The thresholds of `emotions` or `mechanisms`, as they were chosen when it was trained."""
    text = (_FOLDER / "networks.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)[name]
    return table
