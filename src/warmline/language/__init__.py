"""Language: what was said that matters, recognised by readable rules, each with its evidence."""

from warmline.analysis import Moment
from warmline.language.passages import passages
from warmline.language.reading import read_passages
from warmline.language.rulebook import fingerprint, rulebook
from warmline.language.scoring import TurnLanguage
from warmline.language.turns_api import SpokenTurn, score_turns
from warmline.settings import LanguageSettings
from warmline.values import Conversation, Transcript

__all__ = ["SpokenTurn", "TurnLanguage", "fingerprint", "read", "score_turns", "unread_reason"]


def read(
    conversation: Conversation, transcript: Transcript, settings: LanguageSettings
) -> tuple[Moment, ...]:
    """Every moment that a rule recognised in the call, in order of start; times are the words'.

    Only the turns of agents and customers are read. Nothing is read in a language that the rules
    do not know (`unread_reason` says so). Raises `SettingsError` for a broken rule file.
    """
    if unread_reason(transcript) is not None:
        return ()
    return read_passages(passages(conversation, transcript), rulebook(settings))


def unread_reason(transcript: Transcript) -> str | None:
    """Why nothing can be read in this call's words; None when it can."""
    if not transcript.words:
        return "no words were recognised"
    if transcript.language not in (None, "en"):
        return f"the call is in '{transcript.language}'; the rules read English only"
    return None
