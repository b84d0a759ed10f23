"""What a customer's words are like: in meaning, to example sentences; in form, to a plain request.

Both are data, `likeness.toml` and `requests.toml`: a sentence or a phrase more is a line more.
"""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from warmline.engines import Engines
from warmline.language.listening import Heard
from warmline.language.passages import Passage
from warmline.phrases import Matcher, PhraseRule, RuleFile, Spoken, parse_rules, spoken_text
from warmline.values import RoleName

if TYPE_CHECKING:
    from warmline.language.reading_encoder import ReadingEncoder

_SENTENCES, _REQUESTS = "likeness.toml", "requests.toml"
_MAX_TOKENS = 64

Likeness = Mapping[str, float]


def likeness_of(
    passages: Sequence[Passage], heard: Mapping[int, Sequence[Heard]], engines: Engines
) -> dict[int, Likeness]:
    """For each customer's turn with windows, by turn index: how like each group of sentences it is.

    Likeness is a cosine, -1 to 1, of the window and the sentence that are nearest. Raises
    `ModelError` when MiniLM is not in the model store.
    """
    windows = [
        (p.turn.index, " ".join(p.said.words[h.first : h.past]))
        for p in passages
        if p.turn.role is RoleName.CUSTOMER
        for h in heard.get(p.turn.index, ())
    ]
    texts = list(dict.fromkeys(text for _, text in windows))
    if not texts:
        return {}
    groups = sentences()
    encoder = engines.reading_encoder()
    fit = _vectors(texts, encoder) @ _example_vectors(encoder).T
    ends = np.cumsum([len(told) for told in groups.values()])
    nearest = np.stack([part.max(1) for part in np.split(fit, ends[:-1], axis=1)], axis=1)
    row_of = {text: row for row, text in enumerate(texts)}
    by_turn: dict[int, list[int]] = {}
    for index, text in windows:
        by_turn.setdefault(index, []).append(row_of[text])
    return {
        index: dict(zip(groups, map(float, nearest[rows].max(0)), strict=True))
        for index, rows in by_turn.items()
    }


@cache
def sentences() -> Mapping[str, tuple[str, ...]]:
    """The example sentences of each group."""
    return MappingProxyType({name: tuple(group["sentences"]) for name, group in _groups().items()})


@cache
def directions() -> Mapping[str, int]:
    """Whether being like a group speaks for a negative feeling (1) or against one (-1)."""
    return MappingProxyType({name: int(group["speaks"]) for name, group in _groups().items()})


def asks_plainly(said: Spoken) -> bool:
    """Whether a service or a fact is asked for in the ordinary way."""
    return any(matcher.find(said) for _, matcher in request_rules())


@cache
def request_rules() -> tuple[tuple[PhraseRule, Matcher], ...]:
    """The rules of `requests.toml`, compiled."""
    rules, _ = parse_rules(RuleFile(_REQUESTS, _text(_REQUESTS)), PhraseRule, {})
    return tuple(rules)


@lru_cache(maxsize=1)
def _example_vectors(encoder: "ReadingEncoder") -> NDArray[np.float32]:
    """The vectors of all sentences, group by group; a short talk has fewer words than these."""
    told = (sentence for group in sentences().values() for sentence in group)
    return _vectors([" ".join(spoken_text(sentence).words) for sentence in told], encoder)


def _vectors(texts: Sequence[str], encoder: "ReadingEncoder") -> NDArray[np.float32]:
    found = encoder.texts(texts, _MAX_TOKENS)
    unit: NDArray[np.float32] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def _groups() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(_text(_SENTENCES))


def _text(name: str) -> str:
    return files("warmline.language").joinpath(name).read_text(encoding="utf-8")
