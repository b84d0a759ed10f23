"""Hides what is private in what people wrote: fields of metadata, names of places for notes.

The rules are those for spoken words; besides, the name of a field says what is in it.
"""

import re
from functools import lru_cache
from itertools import pairwise

from warmline.redaction.replacing import redact
from warmline.settings import RedactionSettings
from warmline.values import Transcript, Word

#: What a field holds, by a word or two of its name.
_FIELDS = {
    "card": "card pan cardnumber",
    "security_code": "cvv cvv2 cvc cvc2 pin otp",
    "password": "password passcode passwd passphrase",
    "account": "account accountnumber policy iban bban membership",
    "sort_code": "sortcode bsb",
    "social_security": "ssn",
    "national_id": "nino nhs passport taxid nationalid",
    "expiry": "expiry expirydate",
    "swift": "swift bic",
    "vehicle": "vin numberplate registrationplate",
    "birth_date": "dob birth birthday birthdate",
    "phone": "phone telephone tel mobile msisdn ani callerid dnis cellphone fax",
    "email": "email mail",
    "address": "address street zip postcode zipcode",
    "name": "customername callername clientname contactname firstname lastname surname fullname",
}
_KIND_OF = {word: kind for kind, words in _FIELDS.items() for word in words.split()}
#: How many digits a value has at the least to be of a kind; fewer are left to the rules for words.
_LEAST_DIGITS = {
    **dict.fromkeys(("security_code", "account"), 3),
    **dict.fromkeys(("card", "sort_code", "social_security", "birth_date"), 4),
    **dict.fromkeys(("national_id", "expiry"), 3),
    "phone": 5,
}
#: Fields by which tables are joined, times and sizes: values without blanks stay as they are.
_TECHNICAL = re.compile(
    r"(^|_)(id|uuid|guid|key|ref|url|uri|path|file|at|date|day|time|timestamp|ms|s|seconds|bytes|"
    r"version|count|score|nps|csat)$"
)
_SHORTEST = 4  # words without a digit or an @, in which a number may be spelled out
_WORD_S, _STEP_S = 0.25, 0.3


def redact_field(name: str, text: str, settings: RedactionSettings) -> str:
    """Return the value of a metadata field without what is private; `name` is that of the field.

    Values of fields whose name says a kind that is to be hidden go as a whole. Ids (`ticket_id`),
    times and counts stay as they are.
    """
    if not settings.enabled:
        return text
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    parts = [part for part in re.split(r"[\W_]+", words.lower()) if part]
    joined = [a + b for a, b in pairwise(parts)]
    found = [_KIND_OF[part] for part in (*joined, *parts) if part in _KIND_OF]
    if parts == ["name"]:
        found.append("name")
    digits = sum(c.isdigit() for c in text)
    for kind in found:
        fits = digits >= _LEAST_DIGITS.get(kind, 0) and (kind != "email" or "@" in text)
        if kind in settings.kinds and fits and parts[0] != "agent":
            return f"[{kind}]"
    if _TECHNICAL.search("_".join(parts)) and not re.search(r"\s|@", text):
        return text
    return redact_text(text, settings)


@lru_cache(maxsize=1 << 14)
def redact_text(text: str, settings: RedactionSettings) -> str:
    """Return a written text without what is private, by the rules for what is said."""
    said = text.split()
    if not settings.enabled or not (
        re.search(r"[\d@]", text) or len(said) >= _SHORTEST or "name" in settings.kinds
    ):
        return text
    words = tuple(
        Word(i * _STEP_S, i * _STEP_S + _WORD_S, "A", word, 1.0) for i, word in enumerate(said)
    )
    kept, hidden = redact(Transcript(None, None, words, (), {}), settings)
    return " ".join(word.text for word in kept.words) if hidden else text
