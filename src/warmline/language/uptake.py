"""Uptake: how much an agent's turn builds on what the customer has just said, above chance.

After Demszky et al. 2021 (arXiv:2106.03873): how much better a reply fits what it follows than what
it does not. Fit is the cosine of MiniLM's sentence vectors, and chance is the mean over everything
else that the customers said in the same call.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from warmline.analysis import Moment
from warmline.engines import Engines
from warmline.language.passages import Passage
from warmline.values import RoleName

RULE = "model:uptake"
# Shorter turns have nothing to build with, shorter answers nothing to build on.
_MAX_TOKENS = 256
_LEAST_WORDS = 4
_LEAST_BEFORE = 2
_LEAST_OTHERS = 2


def uptake(replies: Sequence[str], before: Sequence[str], engines: Engines) -> NDArray[np.float64]:
    """For each reply of one talk its uptake of what came right before it, -2 to 2; 0 is chance.

    `before[i]` is what the other said before `replies[i]`. NaN throughout where there are fewer
    than three: there is no chance to compare with.
    """
    if len(replies) <= _LEAST_OTHERS:
        return np.full(len(replies), np.nan)
    said = engines.reading_encoder().texts([*replies, *before], _MAX_TOKENS).astype(np.float64)
    said /= np.linalg.norm(said, axis=1, keepdims=True)
    fit = said[: len(replies)] @ said[len(replies) :].T
    own = np.diag(fit)
    above: NDArray[np.float64] = own - (fit.sum(axis=1) - own) / (len(replies) - 1)
    return above


def uptake_moments(passages: Sequence[Passage], engines: Engines) -> list[Moment]:
    """One moment for each agent's turn that says something after the customer said something.

    Strength is 0.5 + uptake, within 0..1: 0.5 is chance.
    """
    pairs: list[tuple[Passage, str]] = []
    since: tuple[str, ...] = ()
    for passage in passages:
        words = passage.said.words
        if passage.turn.role is RoleName.CUSTOMER:
            since = (*since, *words)
        elif passage.turn.role is RoleName.AGENT and len(words) >= _LEAST_WORDS:
            if len(since) >= _LEAST_BEFORE:
                pairs.append((passage, " ".join(since)))
            since = ()
    replies = [" ".join(passage.said.words) for passage, _ in pairs]
    values = uptake(replies, [before for _, before in pairs], engines)
    return [
        passage.moment(
            "uptake", None, 0, len(passage.said.words), RULE, float(np.clip(0.5 + value, 0.0, 1.0))
        )
        for (passage, _), value in zip(pairs, values, strict=True)
        if not np.isnan(value)
    ]
