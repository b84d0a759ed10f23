"""Which emotions a text expresses, heard by MiniLM with heads learned from GoEmotions.

GoEmotions: Demszky et al. 2020, arXiv:2005.00547. How the heads were learned, and how far they can
be trusted, is in `networks/MODEL_CARD.md`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from warmline.engines import Engines
from warmline.language.heads import adapter_file, head

EMOTIONS = (
    *("admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion"),
    *("curiosity", "desire", "disappointment", "disapproval", "disgust", "embarrassment"),
    *("excitement", "fear", "gratitude", "grief", "joy", "love", "nervousness", "optimism"),
    *("pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral"),
)
_FEAR = frozenset({"fear", "nervousness"})
_ANGER = frozenset({"anger", "annoyance", "disgust", "disapproval"})
_SADNESS = frozenset({"sadness", "disappointment", "grief", "remorse", "embarrassment"})
# Feeling -> the emotions that it unites. `negative` is the corpus' own group of that name.
FEELINGS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "fear_anxiety": _FEAR,
        "anger_frustration": _ANGER,
        "sadness_disappointment": _SADNESS,
        "confusion_powerlessness": frozenset({"confusion"}),
        "negative": _FEAR | _ANGER | _SADNESS,
    }
)
NETWORK = "emotions"
MAX_TOKENS = 64


def emotion_probabilities(texts: Sequence[str], engines: Engines) -> dict[str, NDArray[np.float32]]:
    """Probabilities (texts,) of each of `EMOTIONS` and `FEELINGS`, each 0..1 on its own.

    A text is read up to 64 tokens. Raises `ModelError` when MiniLM is not in the model store.
    """
    names = (*EMOTIONS, *FEELINGS)
    if not texts:
        return {name: np.zeros(0, np.float32) for name in names}
    vectors = engines.reading_encoder(adapter_file(NETWORK)).texts(texts, MAX_TOKENS)
    said = 1.0 / (1.0 + np.exp(-head(NETWORK).logits(vectors)))
    return dict(zip(names, said.T, strict=True))
