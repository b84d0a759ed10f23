"""Rules that recognise what was said: templates, exceptions, and examples that are their tests.

A rule file is TOML:

    [lists]                       # named alternatives for `<name>` in patterns of this file
    worry = ["worried", "anxious"]

    [[rule]]
    id = "fear.worried"           # unique; the first part is usually the file's subject
    patterns = ["i am <worry>"]   # see `template`
    unless = ["worried sick of"]  # a match is dropped where one of these overlaps it
    negatable = true              # "not worried", "if I was worried" drop the match
    over_sentences = false        # whether a match may run over a sentence's end
    ends_clause = false           # whether a match is dropped where its clause goes on
    matches = ["I'm worried."]    # must match
    misses = ["I'm not worried."] # must not

The meaning of a rule (`kind`, `role`, ...) is added by the stage that owns the file.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from warmline.errors import SettingsError
from warmline.phrases.spoken import ENGLISH, Spoken, speech_tables, spoken_text
from warmline.phrases.template import NamedLists, Template, TemplateError, compile_template

# A negation reaches this many words back, asides not counted, and over this many words of a thing
# it joins.
_NEGATION_REACHES, _JOINED_WORDS = 7, 2


class PhraseRule(BaseModel):
    """The fields of every rule file's `[[rule]]`; stages add their own keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$")
    patterns: tuple[str, ...] = Field(min_length=1)
    unless: tuple[str, ...] = ()
    negatable: bool = True
    over_sentences: bool = False
    ends_clause: bool = False
    matches: tuple[str, ...] = Field(min_length=1)
    misses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matcher:
    """A rule's compiled patterns."""

    patterns: tuple[Template, ...]
    unless: tuple[Template, ...]
    negatable: bool
    over_sentences: bool = False
    ends_clause: bool = False

    @cached_property
    def anchors(self) -> frozenset[str] | None:
        """Return words of which every match contains one; None when that is not known."""
        if any(template.anchors is None for template in self.patterns):
            return None
        return frozenset().union(*(template.anchors or () for template in self.patterns))

    def find(self, said: Spoken) -> list[tuple[int, int]]:
        """Return ranges of words [first, past) that the rule matches, overlapping ones joined."""
        return self._joined(
            said, [f for f in self._found(said) if not self.negatable or not is_negated(said, f[0])]
        )

    def denied(self, said: Spoken) -> list[tuple[int, int]]:
        """Return the ranges of words that the rule would recognise, had they not been denied."""
        if not self.negatable:
            return []
        return self._joined(said, [f for f in self._found(said) if is_negated(said, f[0])])

    def _found(self, said: Spoken) -> list[tuple[int, int]]:
        if self.anchors is not None and self.anchors.isdisjoint(said.present):
            return []
        return [
            (first, past)
            for template in self.patterns
            for first, past in template.find(said, self.over_sentences)
            if not (self.ends_clause and goes_on(said, past))
        ]

    def _joined(self, said: Spoken, found: list[tuple[int, int]]) -> list[tuple[int, int]]:
        if not found:
            return []
        barred = [s for template in self.unless for s in template.find(said, self.over_sentences)]
        kept = [f for f in found if not any(b[0] < f[1] and f[0] < b[1] for b in barred)]
        return _joined(sorted(kept))


R = TypeVar("R", bound=PhraseRule)


@dataclass(frozen=True)
class RuleFile:
    """A rule file's name and text; reading is kept apart so that equal texts compile once."""

    name: str
    text: str


def rule_files(folder: Path) -> tuple[RuleFile, ...]:
    """Return all `*.toml` of a folder, by name. Raises `SettingsError` when they cannot be read."""
    if not folder.is_dir():
        raise SettingsError(f"{folder}: rules folder not found; create it or correct the setting")
    try:
        return tuple(
            RuleFile(str(path), path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob("*.toml"))
        )
    except (OSError, UnicodeDecodeError) as e:
        raise SettingsError(f"{folder}: cannot read a rule file: {e}") from e


def parse_rules(
    file: RuleFile,
    rule_type: type[R],
    shared: Mapping[str, Sequence[str]],
    language: str = ENGLISH,
) -> tuple[list[tuple[R, Matcher]], dict[str, tuple[str, ...]]]:
    """Return the rules of one file, compiled, and the lists it defines.

    `shared` are lists of other files. Raises `SettingsError` naming file, rule and key.
    """
    try:
        table = tomllib.loads(file.text)
    except tomllib.TOMLDecodeError as e:
        raise SettingsError(f"{file.name}: not valid TOML: {e}") from e
    unknown = sorted(set(table) - {"lists", "rule"})
    if unknown:
        raise SettingsError(f"{file.name}: unknown key '{unknown[0]}' (known: lists, rule)")
    lists = _lists(file.name, table.get("lists", {}), shared)
    named = NamedLists({**shared, **lists}, language)
    rules = [_rule(file.name, entry, rule_type, named) for entry in table.get("rule", [])]
    return rules, lists


def broken_examples(
    rule: PhraseRule, find: Callable[[Spoken], Sequence[object]], language: str = ENGLISH
) -> list[str]:
    """Return the rule's failing examples, as sentences; empty when all pass."""
    wrong = [
        f"matches = '{e}' is not found" for e in rule.matches if not find(spoken_text(e, language))
    ]
    wrong += [f"misses = '{e}' is found" for e in rule.misses if find(spoken_text(e, language))]
    return wrong


def is_negated(said: Spoken, first: int) -> bool:
    """Return whether what begins at this word is denied or merely imagined before it.

    A negation reaches over transparent words, over asides ("you know", "what's the word"), and from
    the first of two things to the second ("not angry or upset"), never over a sentence's end.
    """
    table = speech_tables()["negation"]
    index, seen, joined = first - 1, 0, 0
    after = [said.words[first]]
    while index >= 0 and seen < _NEGATION_REACHES and not said.marks[index]:
        aside = _aside_before(said, index)
        if aside:
            index -= aside
            continue
        word = said.words[index]
        if word in table["imagined"]:
            return True
        if word in table["negators"]:
            return not _is_harmless(said, index, after, table)
        if word in table["joining"]:
            joined = _JOINED_WORDS
        elif word not in table["transparent"]:
            if not joined:
                return False
            joined -= 1
        after.insert(0, word)
        index, seen = index - 1, seen + 1
    return False


def goes_on(said: Spoken, past: int) -> bool:
    """Return whether the clause that the words before `past` stand in goes on after them."""
    if past >= len(said.words) or said.marks[past - 1]:
        return False
    return said.words[past] not in speech_tables()["clause"]["after_its_end"]


def _aside_before(said: Spoken, index: int) -> int:
    """Return the number of words of an aside that ends with this word; 0 for none."""
    for aside in _asides():
        first = index + 1 - len(aside)
        if first > 0 and said.words[first : index + 1] == aside:
            return len(aside)
    return 0


@cache
def _asides() -> tuple[tuple[str, ...], ...]:
    table = speech_tables()["negation"]["asides"]
    return tuple(sorted((tuple(a.split()) for a in table), key=len, reverse=True))


def _is_harmless(said: Spoken, index: int, after: Sequence[str], table: Mapping[str, Any]) -> bool:
    word = said.words[index]
    if after[0] in table["harmless_after"]:
        return True
    if index > 0 and said.words[index - 1] in table["harmless_before"]:
        return True
    if word == "no":
        return after[0] in table["subjects"]
    return word == "never" and any(w in table["emphatic"] for w in after)


def _lists(
    name: str, table: Mapping[str, Any], shared: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    for key, entries in table.items():
        if key in shared:
            raise SettingsError(f"{name}: list '{key}' exists already; choose another name")
        if not isinstance(entries, list) or not entries:
            raise SettingsError(f"{name}: lists.{key} = {entries!r}: must be a list of phrases")
        if not all(isinstance(e, str) for e in entries):
            raise SettingsError(f"{name}: lists.{key} = {entries!r}: must hold phrases only")
    return {key: tuple(entries) for key, entries in table.items()}


def _rule(
    name: str, entry: Mapping[str, Any], rule_type: type[R], lists: NamedLists
) -> tuple[R, Matcher]:
    label = f"{name}: rule '{entry.get('id', '?')}'"
    try:
        rule = rule_type.model_validate(entry)
    except ValidationError as e:
        first = e.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "rule"
        raise SettingsError(f"{label}: {key} = {first['input']!r}: {first['msg']}") from e
    compiled: dict[str, tuple[Template, ...]] = {}
    for key in ("patterns", "unless"):
        try:
            compiled[key] = tuple(compile_template(p, lists) for p in getattr(rule, key))
        except TemplateError as e:
            raise SettingsError(f"{label}: {key}: {e}") from e
    return rule, Matcher(
        compiled["patterns"],
        compiled["unless"],
        rule.negatable,
        rule.over_sentences,
        rule.ends_clause,
    )


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, past in spans:
        if joined and first < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(past, joined[-1][1]))
        else:
            joined.append((first, past))
    return joined
