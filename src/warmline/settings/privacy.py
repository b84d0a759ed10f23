"""Settings of redaction, retention and encryption."""

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from warmline.settings.hearing import Section

RedactionKind = Literal[
    "card",
    "security_code",
    "expiry",
    "account",
    "iban",
    "swift",
    "sort_code",
    "social_security",
    "national_id",
    "birth_date",
    "phone",
    "email",
    "password",
    "vehicle",
    "number",
    "address",
    "name",
]


class ExtraKind(Section):
    """[[redaction.extra]] a kind of private value of your own, hidden as [private_...]."""

    id: str = Field(
        pattern=r"^private_[a-z][a-z_]{0,30}$",
        description="Its name, which begins with private_: the placeholder is it in brackets.",
    )
    labels: tuple[str, ...] = Field(
        default=(),
        description="What announces it, as phrase templates: 'loyalty (card|number)'.",
    )
    made_of: Literal["digits", "mixed"] = Field(
        default="mixed", description="digits, or mixed: digits and letters, said or spelled."
    )
    least: int = Field(default=4, ge=1, description="Characters that it has at least.")
    most: int = Field(default=20, ge=1, le=64, description="Characters that it has at most.")
    digits: int = Field(default=1, ge=0, description="Digits that it has at least.")
    pattern: str | None = Field(
        default=None,
        description="Regular expression for the whole value, in capitals and without signs "
        "between, by which it is found unannounced, too: 'LX\\d{7}'.",
    )

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if not self.labels and self.pattern is None:
            raise ValueError(f"{self.id} needs labels or a pattern")
        if self.least > self.most:
            raise ValueError(f"{self.id}: least = {self.least} is more than most = {self.most}")
        if self.pattern is not None:
            try:
                compiled = re.compile(self.pattern)
            except re.error as e:
                raise ValueError(f"{self.id}: pattern is no regular expression: {e}") from e
            if compiled.fullmatch(""):
                raise ValueError(f"{self.id}: pattern matches nothing at all, which is everywhere")
        return self


class RedactionSettings(Section):
    """[redaction] private things that are hidden before anything is kept."""

    enabled: bool = Field(
        default=True,
        description="Put placeholders ([card]) for what is private as soon as words are found. "
        "What was hidden is kept nowhere, so that a change of this section finds the words anew.",
    )
    kinds: tuple[RedactionKind, ...] = Field(
        default=(
            *("card", "security_code", "expiry", "account", "iban", "swift", "sort_code"),
            *("social_security", "national_id", "birth_date", "phone", "email", "password"),
            *("vehicle", "number"),
        ),
        description="What is hidden: card; security_code (PINs and one-time codes, too); expiry "
        "(of cards); account (policies and customers, too); iban; swift; sort_code (routing "
        "numbers, too); social_security; national_id (passports, licences, numbers of health and "
        "tax); birth_date; phone; email; password (answers to security questions, too); vehicle; "
        "number (any other run of seven digits or more). Not by default, as each takes more than "
        "one word in a hundred of real calls: address (house number with its street, zip code); "
        "name (of people who say or spell it), which also hides who served the customer.",
    )
    extra: tuple[ExtraKind, ...] = Field(
        default=(),
        description="Kinds of your own, tables [[redaction.extra]] with id, labels, made_of, "
        "least, most, digits, pattern: docs/redaction.md has an example.",
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


# Settings of encryption: where the key is, never the key.


class EncryptionSettings(Section):
    """[encryption] landing folder and warehouse are encrypted as soon as a key is given."""

    key_env: str = Field(
        default="",
        pattern=r"^\w*$",
        description="Name of the environment variable that holds the key; empty: WARMLINE_KEY, "
        "if it is set.",
    )
    key_file: str = Field(
        default="",
        description="File that holds the key (`warmline key new FILE` makes one); empty: none.",
    )
