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
from warmline.language.passages import Passage
from warmline.language.vectors import unit_vectors
from warmline.phrases import Matcher, PhraseRule, RuleFile, Spoken, parse_rules, spoken_text
from warmline.values import RoleName

if TYPE_CHECKING:
    from warmline.language.reading_encoder import ReadingEncoder

_SENTENCES, _REQUESTS = "likeness.toml", "requests.toml"

Likeness = Mapping[str, float]


def likeness_of(
    passages: Sequence[Passage], vectors: Mapping[int, NDArray[np.float32]], engines: Engines
) -> dict[int, Likeness]:
    """For each customer's turn with vectors, by turn index: how like each group of sentences it is.

    Likeness is a cosine, -1 to 1, of the window and the sentence that are nearest. Raises
    `ModelError` when MiniLM is not in the model store.
    """
    customers = [p.turn.index for p in passages if p.turn.role is RoleName.CUSTOMER]
    own = {index: vectors[index] for index in customers if index in vectors}
    if not own:
        return {}
    groups = sentences()
    examples = _example_vectors(engines.reading_encoder())
    ends = np.cumsum([len(told) for told in groups.values()])[:-1]
    found: dict[int, Likeness] = {}
    for index, windows in own.items():
        nearest = (windows @ examples.T).max(0)
        parts = (float(part.max()) for part in np.split(nearest, ends))
        found[index] = dict(zip(groups, parts, strict=True))
    return found


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
    return unit_vectors([" ".join(spoken_text(sentence).words) for sentence in told], encoder)


def _groups() -> Mapping[str, Mapping[str, Any]]:
    return tomllib.loads(_text(_SENTENCES))


def _text(name: str) -> str:
    return files("warmline.language").joinpath(name).read_text(encoding="utf-8")
