"""What turns mean, as MiniLM's vectors as published: one for each window that models read."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from warmline.engines import Engines
from warmline.language.listening import Heard
from warmline.language.passages import Passage

if TYPE_CHECKING:
    from warmline.language.reading_encoder import ReadingEncoder

_MAX_TOKENS = 64


def vectors_of(
    passages: Sequence[Passage], heard: Mapping[int, Sequence[Heard]], engines: Engines
) -> dict[int, NDArray[np.float32]]:
    """Unit vectors (windows, 384) of each turn that has windows, by turn index.

    Raises `ModelError` when MiniLM is not in the model store.
    """
    told = {
        p.turn.index: [" ".join(p.said.words[h.first : h.past]) for h in heard[p.turn.index]]
        for p in passages
        if heard.get(p.turn.index)
    }
    texts = list(dict.fromkeys(text for own in told.values() for text in own))
    if not texts:
        return {}
    found = unit_vectors(texts, engines.reading_encoder())
    row_of = {text: row for row, text in enumerate(texts)}
    return {index: found[[row_of[text] for text in own]] for index, own in told.items()}


def unit_vectors(texts: Sequence[str], encoder: "ReadingEncoder") -> NDArray[np.float32]:
    """Vectors (texts, 384) of length 1; of long texts, of what comes first."""
    found = encoder.texts(texts, _MAX_TOKENS)
    unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit
