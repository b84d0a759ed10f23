"""Language: what was said that matters, recognised by readable rules and by models."""

from warmline.analysis import Moment
from warmline.engines import Engines
from warmline.language.listening import listen_to
from warmline.language.model_moments import model_moments
from warmline.language.passages import passages
from warmline.language.reading import in_order, read_passages, without_denied
from warmline.language.rulebook import fingerprint, rulebook
from warmline.language.scoring import TurnLanguage
from warmline.language.turns_api import SpokenTurn, score_turns
from warmline.language.uptake import uptake_moments
from warmline.settings import LanguageSettings
from warmline.values import Conversation, RoleName, Transcript

__all__ = [
    "SpokenTurn",
    "TurnLanguage",
    "fingerprint",
    "read",
    "score_turns",
    "unheard_reason",
    "unread_reason",
]


def read(
    conversation: Conversation,
    transcript: Transcript,
    settings: LanguageSettings,
    engines: Engines | None = None,
) -> tuple[Moment, ...]:
    """Every moment that a rule or a model recognised in the call, in order of start.

    Times are the words'. Only the turns of agents and customers are read. Nothing is read in a
    language that the rules do not know (`unread_reason` says so). Without `engines`, or with
    `models = false`, the rules read alone. Raises `SettingsError` for a broken rule file,
    `ModelError` when MiniLM is not in the model store.
    """
    if unread_reason(transcript) is not None:
        return ()
    told = passages(conversation, transcript)
    if engines is None or not settings.models:
        return read_passages(told, rulebook(settings))
    # What an agent feels is nobody's business: of agents only the mechanisms are heard.
    heard = listen_to(told, engines, (RoleName.CUSTOMER,))
    moments = list(read_passages(told, rulebook(settings), heard))
    moments += without_denied(model_moments(told, heard, moments), told, rulebook(settings))
    moments += uptake_moments(told, engines)
    return in_order(moments)


def unread_reason(transcript: Transcript) -> str | None:
    """Why nothing can be read in this call's words; None when it can."""
    if not transcript.words:
        return "no words were recognised"
    if transcript.language not in (None, "en"):
        return f"the call is in '{transcript.language}'; the rules read English only"
    return None


def unheard_reason(settings: LanguageSettings) -> str | None:
    """Why no model reads the words; None when models do."""
    return None if settings.models else "language.models is false: rules alone read the words"
