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
            *("birth_date", "phone", "email", "number"),
        ),
        description="What is hidden: card; security_code (PINs, too); account (policies and "
        "customers, too); iban; sort_code; social_security; birth_date; phone; email; number (any "
        "other run of seven digits or more). Not by default, as each takes more than one word in a "
        "hundred of real calls: address (house number with its street, zip code); name (of people "
        "who say or spell it), which also hides who served the customer.",
    )


class RetentionSettings(Section):
    """[retention] how long what was heard is kept; the night applies it, before it publishes."""

    words_days: int = Field(
        default=0,
        ge=0,
        description="Of calls that started longer ago, words and quotations are erased, measures "
        "stay; 0: words are kept as long as calls.",
    )
    calls_days: int = Field(
        default=0,
        ge=0,
        description="Calls that started longer ago are erased, as `warmline forget --older-than` "
        "does; 0: they are kept until somebody erases them. Recordings are yours to delete.",
    )
