"""Redaction: what is private gives way to a placeholder before anything else reads the words.

Numbers and codes are found by what announced them or by what they are, said, spelled or typed, at
once or in groups, across turns; e-mails by how they are built; passwords, names and addresses by
cautious rules. The rules are data, a file for each language in `languages`: those of the language
that was recognised count, else the English ones. Typed numbers are known in any language.
"""

from warmline.redaction.book import Kind, book, kinds, require_readable
from warmline.redaction.replacing import redact, redact_field, redact_text

__all__ = [
    "Kind",
    "book",
    "kinds",
    "redact",
    "redact_field",
    "redact_text",
    "require_readable",
]
