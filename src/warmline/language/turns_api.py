"""Score single turns of text, without a recording: one stable function for any transcript.

How the scores are computed may change; the function will not.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol

from warmline.analysis import Moment, TurnFeelings
from warmline.engines import Engines
from warmline.language.features import ModelScores
from warmline.language.feelings import (
    feelings_of,
    language_of,
    read_languages,
    read_sentences,
    without_denied_feelings,
)
from warmline.language.rule_moments import rule_moments
from warmline.language.rulebook import rulebook
from warmline.language.scoring import TurnLanguage, scored, unscored
from warmline.language.similarity import prototype_similarity, vectors_of
from warmline.language.turn_text import TurnText, turn_texts_of
from warmline.language.windows import score_windows
from warmline.settings import LanguageSettings, Settings
from warmline.values import RoleName

_SCORED = (RoleName.AGENT, RoleName.CUSTOMER)


class SpokenTurn(Protocol):
    """A turn to score: `speaker` is "agent", "customer" or another word; `text` is what it says."""

    @property
    def speaker(self) -> str:
        """Return who speaks."""

    @property
    def text(self) -> str:
        """Return the text of the turn."""


def score_turns(
    turns: Iterable[SpokenTurn | Mapping[str, str]],
    settings: LanguageSettings | None = None,
    engines: Engines | None = None,
    *,
    language: str = "auto",
) -> list[TurnLanguage]:
    """Return one `TurnLanguage` for each turn, in order; earlier turns are the context of later
    ones.

    A turn is an object with `speaker` and `text`, or a mapping with these keys. Speakers other than
    "agent" and "customer" (in any case) get None for every score. `language` is that of the
    customer ("en", "de", ...), "auto" detects it from the words: outside of English the customers'
    feelings are read by the model alone, and an agent's scores are None; so are customers' in a
    language in which the model was not found to be right. Without `engines`, MiniLM comes from the
    user's model store. Raises `ModelError`, saying what to type, when it is missing; with `models =
    false` in the settings only the rules give scores.
    """
    chosen = settings or LanguageSettings()
    told = [_parts(turn) for turn in turns]
    turn_texts = turn_texts_of([(_role(speaker), text) for speaker, text in told])
    own = engines or _own_engines() if chosen.models else None
    speaks = {role: _language(turn_texts, role, language) for role in _SCORED}
    english = [p for p in turn_texts if speaks.get(p.turn.role, "en") == "en"]
    read_by = _read(english, own) if own else {}
    heard = {index: read.heard for index, read in read_by.items()}
    by_turn: dict[int, list[Moment]] = {}
    for moment in rule_moments(english, rulebook(chosen), heard):
        by_turn.setdefault(moment.turn_index, []).append(moment)
    felt: dict[int, TurnFeelings] = {}
    if own and speaks[RoleName.CUSTOMER] in read_languages():
        moments = [m for own_moments in by_turn.values() for m in own_moments]
        sentences = without_denied_feelings(
            read_sentences(turn_texts, own), english, rulebook(chosen)
        )
        found = feelings_of(turn_texts, moments, sentences, heard)
        felt = {f.turn_index: f for f in found}
    return [
        scored(
            speaker,
            turn_text,
            by_turn.get(index, []),
            read_by.get(index, ModelScores()),
            felt.get(index),
        )
        if speaks.get(turn_text.turn.role, "en") == "en" or index in felt
        else unscored(speaker)
        for index, ((speaker, _), turn_text) in enumerate(zip(told, turn_texts, strict=True))
    ]


def _language(turn_texts: Sequence[TurnText], role: RoleName, chosen: str) -> str:
    """Return the language of a role's turns; roles may differ where words are translated."""
    if chosen != "auto":
        return chosen
    return language_of(p.turn.text for p in turn_texts if p.turn.role is role)


def _read(turn_texts: Sequence[TurnText], engines: Engines) -> dict[int, ModelScores]:
    """Return MiniLM's reading of each turn in English; only agents' turns need vectors."""
    heard = score_windows(turn_texts, engines)
    agents = [p for p in turn_texts if p.turn.role is RoleName.AGENT]
    vectors = vectors_of(agents, heard, engines)
    return {
        index: ModelScores(own, vectors=vectors[index]) if index in vectors else ModelScores(own)
        for index, own in heard.items()
    }


def models_read(turn_texts: Sequence[TurnText], engines: Engines) -> dict[int, ModelScores]:
    """Return the models' reading of each agent's and customer's turn that has words, by turn index.

    Raises `ModelError` when MiniLM is not in the model store.
    """
    heard = score_windows(turn_texts, engines)
    vectors = vectors_of(turn_texts, heard, engines)
    likeness = prototype_similarity(turn_texts, vectors, engines)
    return {
        index: ModelScores(own, likeness.get(index, {}), vectors[index])
        for index, own in heard.items()
    }


@lru_cache(maxsize=1)
def _own_engines() -> Engines:
    """Return networks over the default model store, loaded once."""
    return Engines.from_settings(Settings())


def _parts(turn: SpokenTurn | Mapping[str, str]) -> tuple[str, str]:
    if isinstance(turn, Mapping):
        return turn["speaker"], turn["text"]
    return turn.speaker, turn.text


def _role(speaker: str) -> RoleName:
    known = {role.value: role for role in (RoleName.AGENT, RoleName.CUSTOMER)}
    return known.get(speaker.strip().lower(), RoleName.UNKNOWN)
