"""Redaction: what is private gives way to a placeholder before anything else reads the words.

Numbers are found by what announced them or by what they are, said or typed, at once or in groups,
across turns; e-mails by how they are built; names and addresses by cautious rules. The rules are
data: `rules.toml`. Spoken numbers are known in English only, typed ones in any language.
"""

from warmline.redaction.book import Kind, kinds
from warmline.redaction.replacing import redact
from warmline.redaction.written import redact_field, redact_text

__all__ = ["Kind", "kinds", "redact", "redact_field", "redact_text"]
