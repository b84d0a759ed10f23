"""Settings of what is hidden before anything is kept."""

from typing import Literal

from pydantic import Field

from warmline.settings.section import Section

RedactionKind = Literal[
    "card",
    "security_code",
    "account",
    "iban",
    "sort_code",
    "social_security",
    "birth_date",
    "phone",
    "email",
    "number",
    "address",
    "name",
]


class RedactionSettings(Section):
    """[redaction] private things that are hidden before anything is kept."""

    enabled: bool = Field(
        default=True,
        description="Put placeholders ([card]) for what is private as soon as words are found. "
        "What was hidden is kept nowhere, so that a change of this section finds the words anew.",
    )
    kinds: tuple[RedactionKind, ...] = Field(
        default=(
            *("card", "security_code", "account", "iban", "sort_code", "social_security"),
            *("birth_date", "phone", "email", "number", "address"),
        ),
        description="What is hidden: card; security_code (PINs, too); account (policies and "
        "customers, too); iban; sort_code; social_security; birth_date; phone; email; number (any "
        "other run of seven digits or more); address (house number with its street, zip code). Not "
        "by default: name (of people who say or spell it), as it takes more words than all "
        "others and hides who served the customer.",
    )
