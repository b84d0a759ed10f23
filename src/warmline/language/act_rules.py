"""Rules of what an act of speaking sounds like: `rules/acts`, phrases with examples as tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from warmline.language.rulebook import built_in_lists
from warmline.phrases import Matcher, PhraseRule, Spoken, parse_rules, rule_files

FOLDER = Path(__file__).parent / "rules" / "acts"

# What a phrase is evidence of. `stem` makes a statement a reflection, `sign` counts towards one;
# `tag` asks whether what was said back is right; `fact` gives information; `frame` greets, thanks,
# or says what the talk will be about.
Evidence = Literal[
    "stem",
    "sign",
    "tag",
    "advice",
    "confrontation",
    "fact",
    "affirmation",
    "autonomy",
    "collaboration",
    "frame",
]


class ActRule(PhraseRule):
    """A `[[rule]]` of `rules/acts`: what a phrase is evidence of; `strength` 0..1."""

    act: Evidence
    strength: float = Field(ge=0, le=1)
    negatable: bool = False


@dataclass(frozen=True)
class ActBook:
    """All rules of acts."""

    rules: tuple[tuple[ActRule, Matcher], ...]

    def evidence(self, said: Spoken) -> Mapping[str, float]:
        """Strength by evidence: of signs the sum, of all else the strongest."""
        found: dict[str, float] = {}
        for rule, matcher in self.rules:
            if not matcher.find(said):
                continue
            before = found.get(rule.act, 0.0)
            sums = rule.act == "sign"
            found[rule.act] = before + rule.strength if sums else max(before, rule.strength)
        return found

    def tag(self, said: Spoken) -> int:
        """Where a tag begins with which the clause ends; past the last word without one."""
        past = len(said.words)
        begins = [
            first
            for rule, matcher in self.rules
            if rule.act == "tag"
            for first, end in matcher.find(said)
            if end == past
        ]
        return min(begins, default=past)


@cache
def act_book() -> ActBook:
    """The rules that ship, compiled once. Raises `SettingsError` when a file is broken."""
    lists = built_in_lists()
    found = [parse_rules(file, ActRule, lists)[0] for file in rule_files(FOLDER)]
    return ActBook(tuple(rule for rules in found for rule in rules))
