"""Names of agents give way to pseudonyms before anything is planned, analyzed or kept.

A pseudonym is a keyed hash (HMAC-SHA-256, RFC 2104): the same name has the same one everywhere and
always; without the key nobody finds the name, nor whether a name that is guessed is the right one.
"""

import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import replace

from warmline.encryption import Key, key_in
from warmline.recordings.fields import Fields, canonical
from warmline.settings import RecordingSettings

_PURPOSE = b"warmline: agent\0"
_HEX_DIGITS = 16  # 64 bits: of ten thousand agents, two share one once in 4e11 times


def pseudonym_key(settings: RecordingSettings) -> Key | None:
    """The key of pseudonyms; None where the settings name none, and names stay.

    Raises EncryptionError where they name one that is not there: names are then not kept instead.
    """
    return key_in(settings.pseudonym_key_env, settings.pseudonym_key_file, "recordings.pseudonym_")


def pseudonym(name: str, key: Key) -> str:
    """What stands for an agent's name or id."""
    said = unicodedata.normalize("NFC", name.strip()).encode("utf-8", "replace")
    return "agent-" + hmac.digest(key.secret, _PURPOSE + said, "sha256").hex()[:_HEX_DIGITS]


def without_names(fields: Fields, key: Key | None) -> Fields:
    """The fields of a place with a pseudonym for whatever a field about the agent says."""
    if key is None:
        return fields
    known = dict(fields.known)
    if "agent_id" in known:
        known["agent_id"] = pseudonym(known["agent_id"], key)
    problems = {
        name: "not usable, and not shown, as it may be a name" if _is_of_agent(name) else problem
        for name, problem in fields.problems.items()
    }
    return replace(fields, known=known, extra=_hidden(fields.extra, key), problems=problems)


def _hidden(extra: Mapping[str, str], key: Key) -> dict[str, str]:
    return {
        name: pseudonym(text, key) if _is_of_agent(name) else text for name, text in extra.items()
    }


def _is_of_agent(name: str) -> bool:
    return canonical(name).startswith("agent")
