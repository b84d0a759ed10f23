"""Uptake: how much an agent's turn builds on what the customer has just said, above chance.

After Demszky et al. 2021 (arXiv:2106.03873): how much better a reply fits what it follows than what
it does not. Fit is the cosine of MiniLM's sentence vectors, and chance is the mean over everything
else that the customers said in the same call.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from warmline.analysis import Moment
from warmline.language.windows import TurnText, WindowScores
from warmline.models.engines import Engines
from warmline.phrases import Matcher, PhraseRule, RuleFile, Spoken, parse_rules, spoken_text
from warmline.values import RoleName

if TYPE_CHECKING:
    from warmline.language.encoders import ReadingEncoder

RULE = "model:uptake"
# Shorter turns have nothing to build with, shorter answers nothing to build on.
_UPTAKE_MAX_TOKENS = 256
_LEAST_WORDS = 4
_LEAST_BEFORE = 2
_LEAST_OTHERS = 2


def uptake(replies: Sequence[str], before: Sequence[str], engines: Engines) -> NDArray[np.float64]:
    """Return, for each reply, its uptake of what came right before it, -2 to 2; 0 is chance.

    `before[i]` is what the other said before `replies[i]`. NaN throughout where there are fewer
    than three: there is no chance level to compare with.
    """
    if len(replies) <= _LEAST_OTHERS:
        return np.full(len(replies), np.nan)
    said = (
        engines.reading_encoder().texts([*replies, *before], _UPTAKE_MAX_TOKENS).astype(np.float64)
    )
    said /= np.linalg.norm(said, axis=1, keepdims=True)
    fit = said[: len(replies)] @ said[len(replies) :].T
    own = np.diag(fit)
    above: NDArray[np.float64] = own - (fit.sum(axis=1) - own) / (len(replies) - 1)
    return above


def uptake_moments(turn_texts: Sequence[TurnText], engines: Engines) -> list[Moment]:
    """Return one moment for each agent's turn with something to say that follows the customer's.

    Strength is 0.5 + uptake, within 0..1: 0.5 is chance.
    """
    pairs: list[tuple[TurnText, str]] = []
    since: tuple[str, ...] = ()
    for turn_text in turn_texts:
        words = turn_text.said.words
        if turn_text.turn.role is RoleName.CUSTOMER:
            since = (*since, *words)
        elif turn_text.turn.role is RoleName.AGENT and len(words) >= _LEAST_WORDS:
            if len(since) >= _LEAST_BEFORE:
                pairs.append((turn_text, " ".join(since)))
            since = ()
    replies = [" ".join(turn_text.said.words) for turn_text, _ in pairs]
    values = uptake(replies, [before for _, before in pairs], engines)
    return [
        turn_text.moment(
            "uptake",
            None,
            0,
            len(turn_text.said.words),
            RULE,
            float(np.clip(0.5 + value, 0.0, 1.0)),
        )
        for (turn_text, _), value in zip(pairs, values, strict=True)
        if not np.isnan(value)
    ]


# The meaning of turns, as MiniLM's published vectors: one for each window that models read.


_MAX_TOKENS = 64


def vectors_of(
    turn_texts: Sequence[TurnText], heard: Mapping[int, Sequence[WindowScores]], engines: Engines
) -> dict[int, NDArray[np.float32]]:
    """Return unit vectors (windows, 384) of each turn that has windows, by turn index.

    Raises `ModelError` when MiniLM is not in the model store.
    """
    told = {
        p.turn.index: [" ".join(p.said.words[h.first : h.past]) for h in heard[p.turn.index]]
        for p in turn_texts
        if heard.get(p.turn.index)
    }
    texts = list(dict.fromkeys(text for own in told.values() for text in own))
    if not texts:
        return {}
    found = unit_vectors(texts, engines.reading_encoder())
    row_of = {text: row for row, text in enumerate(texts)}
    return {index: found[[row_of[text] for text in own]] for index, own in told.items()}


def unit_vectors(texts: Sequence[str], encoder: "ReadingEncoder") -> NDArray[np.float32]:
    """Return vectors (texts, 384) of length 1; of long texts, only the beginning counts."""
    found = encoder.texts(texts, _MAX_TOKENS)
    unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


# Prototype similarity of a customer's words: in meaning, to example sentences; in form, to a plain
# request.


_SENTENCES, _REQUESTS = "likeness.toml", "requests.toml"

PrototypeSimilarity = Mapping[str, float]


def prototype_similarity(
    turn_texts: Sequence[TurnText], vectors: Mapping[int, NDArray[np.float32]], engines: Engines
) -> dict[int, PrototypeSimilarity]:
    """Return, by turn index, how similar each customer's turn is to each group of sentences.

    Similarity is a cosine, -1 to 1, of the nearest pair of a window and a sentence. Raises
    `ModelError` when MiniLM is not in the model store.
    """
    customers = [p.turn.index for p in turn_texts if p.turn.role is RoleName.CUSTOMER]
    own = {index: vectors[index] for index in customers if index in vectors}
    if not own:
        return {}
    groups = sentences()
    examples = _example_vectors(engines.reading_encoder())
    ends = np.cumsum([len(told) for told in groups.values()])[:-1]
    found: dict[int, PrototypeSimilarity] = {}
    for index, windows in own.items():
        nearest = (windows @ examples.T).max(0)
        parts = (float(part.max()) for part in np.split(nearest, ends))
        found[index] = dict(zip(groups, parts, strict=True))
    return found


@cache
def sentences() -> Mapping[str, tuple[str, ...]]:
    """Return the example sentences of each group."""
    return MappingProxyType({name: tuple(group["sentences"]) for name, group in _groups().items()})


@cache
def directions() -> Mapping[str, int]:
    """Return whether likeness to a group speaks for a negative feeling (1) or against it (-1)."""
    return MappingProxyType({name: int(group["speaks"]) for name, group in _groups().items()})


def asks_plainly(said: Spoken) -> bool:
    """Return whether a service or a fact is asked for in the ordinary way."""
    return any(matcher.find(said) for _, matcher in request_rules())


@cache
def request_rules() -> tuple[tuple[PhraseRule, Matcher], ...]:
    """Return the rules of `requests.toml`, compiled."""
    rules, _ = parse_rules(RuleFile(_REQUESTS, _text(_REQUESTS)), PhraseRule, {})
    return tuple(rules)


@lru_cache(maxsize=1)
def _example_vectors(encoder: "ReadingEncoder") -> NDArray[np.float32]:
    """Return the vectors of all sentences, group by group."""
    told = (sentence for group in sentences().values() for sentence in group)
    return unit_vectors([" ".join(spoken_text(sentence).words) for sentence in told], encoder)


def _groups() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(_text(_SENTENCES))


def _text(name: str) -> str:
    return files("warmline.language").joinpath(name).read_text(encoding="utf-8")
