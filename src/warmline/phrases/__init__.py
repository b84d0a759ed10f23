"""Recognise words: speech made comparable, phrase templates, rules with their examples.

Used by every stage that reads words (`turns` for roles, `language`); knows none of them.
"""

from warmline.phrases.rules import (
    Matcher,
    PhraseRule,
    RuleFile,
    broken_examples,
    parse_rules,
    rule_files,
)
from warmline.phrases.spoken import Spoken, placeholder, speech_tables, spoken, spoken_text

__all__ = [
    "Matcher",
    "PhraseRule",
    "RuleFile",
    "Spoken",
    "broken_examples",
    "parse_rules",
    "placeholder",
    "rule_files",
    "speech_tables",
    "spoken",
    "spoken_text",
]
