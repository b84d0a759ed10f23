"""The small trained layers (heads) that read MiniLM's vectors.

Their training data and quality are described in `networks/MODEL_CARD.md`; thresholds and digests
are in `networks/networks.toml`.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmline.models.engines import Engines

_FOLDER = Path(__file__).parent / "networks"


@dataclass(frozen=True, eq=False)
class Head:
    """One linear layer: vectors (texts, width) to logits (texts, outputs)."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the layer's output for these vectors."""
        found: NDArray[np.float32] = vectors @ self.weight.T + self.bias
        return found


def adapter_file(name: str) -> Path:
    """Return the file with adapter and head of `emotions` or `mechanisms`."""
    return _FOLDER / f"{name}.safetensors"


@cache
def head(name: str) -> Head:
    """Return the head of `emotions` or `mechanisms`."""
    from safetensors.numpy import load_file

    stored = load_file(adapter_file(name))
    return Head(*(stored[f"head.{part}"].astype(np.float32) for part in ("weight", "bias")))


@cache
def network_settings(name: str) -> dict[str, Any]:
    """Return the thresholds of `emotions` or `mechanisms`, as chosen in training."""
    text = (_FOLDER / "networks.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)[name]
    return table


# Which emotions a text expresses, by MiniLM with heads learned from GoEmotions.


EMOTIONS = (
    *("admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion"),
    *("curiosity", "desire", "disappointment", "disapproval", "disgust", "embarrassment"),
    *("excitement", "fear", "gratitude", "grief", "joy", "love", "nervousness", "optimism"),
    *("pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral"),
)
_FEAR = frozenset({"fear", "nervousness"})
_ANGER = frozenset({"anger", "annoyance", "disgust", "disapproval"})
_SADNESS = frozenset({"sadness", "disappointment", "grief", "remorse", "embarrassment"})
# Feeling -> the emotions it combines. `negative` is the corpus's own group of that name.
FEELINGS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "fear_anxiety": _FEAR,
        "anger_frustration": _ANGER,
        "sadness_disappointment": _SADNESS,
        "confusion_powerlessness": frozenset({"confusion"}),
        "negative": _FEAR | _ANGER | _SADNESS,
    }
)
EMOTION_NETWORK = "emotions"
MAX_TOKENS = 64


def emotion_probabilities(texts: Sequence[str], engines: Engines) -> dict[str, NDArray[np.float32]]:
    """Return probabilities (texts,) of each of `EMOTIONS` and `FEELINGS`, each 0..1 on its own.

    A text is read up to 64 tokens. Raises `ModelError` when MiniLM is not in the model store.
    """
    names = (*EMOTIONS, *FEELINGS)
    if not texts:
        return {name: np.zeros(0, np.float32) for name in names}
    vectors = engines.reading_encoder(adapter_file(EMOTION_NETWORK)).texts(texts, MAX_TOKENS)
    said = 1.0 / (1.0 + np.exp(-head(EMOTION_NETWORK).logits(vectors)))
    return dict(zip(names, said.T, strict=True))


# How a response answers what was said before it: the mechanisms of empathy after EPITOME.


MECHANISMS = ("emotional_reaction", "interpretation", "exploration")
LEVELS = 3
MECHANISM_NETWORK = "mechanisms"
MAX_CONTEXT_TOKENS = 64
MAX_TEXT_TOKENS = 128


def level_probabilities(
    pairs: Sequence[tuple[str, str]], engines: Engines
) -> dict[str, NDArray[np.float32]]:
    """Return, for each of `MECHANISMS`, probabilities (pairs, 3) of the levels; rows sum to 1.

    A pair is (what was said before, the response); the first may be empty. Its last 64 tokens are
    read, and the first 128 of the response. The rarer levels were given more weight in training, so
    that the most probable level is the one to use. Raises `ModelError` when MiniLM is not in the
    model store.
    """
    if not pairs:
        return {mechanism: np.zeros((0, LEVELS), np.float32) for mechanism in MECHANISMS}
    encoder = engines.reading_encoder(adapter_file(MECHANISM_NETWORK))
    vectors = encoder.pairs(pairs, MAX_CONTEXT_TOKENS, MAX_TEXT_TOKENS)
    logits = head(MECHANISM_NETWORK).logits(vectors).reshape(-1, len(MECHANISMS), LEVELS)
    odds = np.exp(logits - logits.max(2, keepdims=True))
    said = odds / odds.sum(2, keepdims=True)
    return {mechanism: said[:, place] for place, mechanism in enumerate(MECHANISMS)}
