"""How a response answers what was said before it: the mechanisms of empathy after EPITOME.

Sharma et al. 2020, arXiv:2009.08441. Each mechanism has a level: 0 none, 1 weak, 2 strong. How the
heads were learned, and how far they can be trusted, is in `networks/MODEL_CARD.md`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from warmline.engines import Engines
from warmline.language.heads import adapter_file, head

MECHANISMS = ("emotional_reaction", "interpretation", "exploration")
LEVELS = 3
NETWORK = "mechanisms"
MAX_CONTEXT_TOKENS = 64
MAX_TEXT_TOKENS = 128


def level_probabilities(
    pairs: Sequence[tuple[str, str]], engines: Engines
) -> dict[str, NDArray[np.float32]]:
    """For each of `MECHANISMS`, probabilities (pairs, 3) of the levels; rows sum to 1.

    A pair is (what was said before, the response); the first may be empty. Of it the last 64 tokens
    are read, of the response the first 128. The rarer levels were given more weight in learning, so
    that the most probable level is the one to go by. Raises `ModelError` when MiniLM is not in the
    model store.
    """
    if not pairs:
        return {mechanism: np.zeros((0, LEVELS), np.float32) for mechanism in MECHANISMS}
    encoder = engines.reading_encoder(adapter_file(NETWORK))
    vectors = encoder.pairs(pairs, MAX_CONTEXT_TOKENS, MAX_TEXT_TOKENS)
    logits = head(NETWORK).logits(vectors).reshape(-1, len(MECHANISMS), LEVELS)
    odds = np.exp(logits - logits.max(2, keepdims=True))
    said = odds / odds.sum(2, keepdims=True)
    return {mechanism: said[:, place] for place, mechanism in enumerate(MECHANISMS)}
