"""Language: what was said that matters, recognised by readable rules and by models."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from warmline.analysis import Moment, TurnEmpathy, TurnFeelings
from warmline.language.feelings import (
    feelings_of,
    model_cues,
    party_reader,
    read_languages,
    read_sentences,
    unread_words,
)
from warmline.language.rule_moments import in_order, rule_moments, without_denied
from warmline.language.rulebook import fingerprint, rulebook
from warmline.language.scoring import (
    SpokenTurn,
    TurnLanguage,
    empathy_of,
    model_moments,
    score_turns,
)
from warmline.language.windows import score_windows, turn_texts, uptake_moments, vectors_of
from warmline.models.engines import Engines
from warmline.settings import LanguageSettings
from warmline.values import Conversation, RoleName, Transcript

if TYPE_CHECKING:
    from warmline.language.encoders import Known

__all__ = [
    "Reading",
    "SpokenTurn",
    "TurnLanguage",
    "fingerprint",
    "party_reader",
    "read",
    "read_call",
    "score_turns",
    "unheard_reason",
    "unread_reason",
]


@dataclass(frozen=True)
class Reading:
    """The reading of a call: moments in order of start, customers' feelings, agents' empathy."""

    moments: tuple[Moment, ...]
    feelings: tuple[TurnFeelings, ...] = ()
    agent_turns: tuple[TurnEmpathy, ...] = ()


def read_call(
    conversation: Conversation,
    transcript: Transcript,
    settings: LanguageSettings,
    engines: Engines | None = None,
) -> Reading:
    """Return the moments that rules or models recognised, and the scores of each turn.

    Times are those of the words. Only the turns of agents and customers are read. Rules read
    English only (`unread_reason` says so for other calls); feelings are read in `read_languages()`.
    Without `engines`, or with `models = false`, only the rules read. Raises `SettingsError` for a
    broken rule file, `ModelError` when a model is not in the model store.
    """
    models = engines if settings.models else None
    told = turn_texts(conversation, transcript)
    if unread_reason(transcript) is not None:
        if models is None or transcript.language not in read_languages():
            return Reading(())
        return Reading((), feelings_of(told, (), read_sentences(told, models), models))
    if models is None:
        found = rule_moments(told, rulebook(settings))
        return Reading(found, agent_turns=empathy_of(told, found, {}, {}))
    unread = unread_words(told, rulebook(settings))
    known: Known = {}
    windows = score_windows(told, models, unread, known)
    # What an agent feels is nobody's business: of an agent's turn only mechanisms are looked for,
    # and words that sound caring count towards its empathy and nothing else.
    heard = {
        p.turn.index: tuple(
            w if p.turn.role is RoleName.CUSTOMER else replace(w, emotions={})
            for w in windows[p.turn.index]
        )
        for p in told
        if p.turn.index in windows
    }
    moments = list(rule_moments(told, rulebook(settings), heard))
    agents = [p for p in told if p.turn.role is RoleName.AGENT]
    vectors = vectors_of(agents, windows, models, known)
    agent_turns = empathy_of(told, moments, windows, vectors)
    sentences = read_sentences(told, models, unread)
    feelings = feelings_of(told, moments, sentences, models, heard)
    moments += without_denied(model_cues(told, feelings, moments), told, unread)
    moments += model_moments(told, heard, moments)
    moments += uptake_moments(told, models, known)
    return Reading(in_order(moments), feelings, agent_turns)


def read(
    conversation: Conversation,
    transcript: Transcript,
    settings: LanguageSettings,
    engines: Engines | None = None,
) -> tuple[Moment, ...]:
    """Return the moments of `read_call`."""
    return read_call(conversation, transcript, settings, engines).moments


def unread_reason(transcript: Transcript) -> str | None:
    """Return why this call's words cannot be read; None when they can."""
    if not transcript.words:
        return "no words were recognised"
    if transcript.language not in (None, "en"):
        return f"the call is in '{transcript.language}'; the rules read English only"
    return None


def unheard_reason(settings: LanguageSettings) -> str | None:
    """Return why no model reads the words; None when models do."""
    return None if settings.models else "language.models is false: rules alone read the words"
