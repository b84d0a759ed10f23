"""Rules that recognise what was said: templates, exceptions, and examples that are their tests.

Used by every stage that reads words (`turns` for roles, `language`); knows none of them. A rule
file is TOML:

    [lists]                       # named alternatives for `<name>` in patterns of this file
    worry = ["worried", "anxious"]

    [[rule]]
    id = "fear.worried"           # unique; the first part is usually the file's subject
    patterns = ["i am <worry>"]   # see `compile_template`
    unless = ["worried sick of"]  # a match is dropped where one of these overlaps it
    negatable = true              # "not worried", "if I was worried" drop the match
    over_sentences = false        # whether a match may run over a sentence's end
    ends_clause = false           # whether a match is dropped where its clause goes on
    matches = ["I'm worried."]    # must match
    misses = ["I'm not worried."] # must not

The meaning of a rule (`kind`, `role`, ...) is added by the stage that owns the file.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from warmline.errors import SettingsError
from warmline.phrases.spoken import (
    ENGLISH,
    Spoken,
    comparable,
    placeholder,
    speech_tables,
    spoken,
    spoken_text,
)

__all__ = [
    "Index",
    "Matcher",
    "Negation",
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

# Phrase templates: a small, readable language for how a thing is said, compiled to `re`.


_TOKEN = re.compile(r"\s*(\.\.\.|<[a-z_]+>|[()|?^$]|_(?!\w)|[^\s()|?^$<>]+)")
_MAX_GAP = 3


class TemplateError(ValueError):
    """A template is malformed; the message says where."""


# Sets of words: of each, one at least stands in whatever a template matches.
Anchors = tuple[frozenset[str], ...]


@dataclass(frozen=True)
class Template:
    """A compiled template: `source` as it was written, `expression` as `re` reads it.

    `anchors`: of each of these sets one word at least is in every match.
    """

    source: str
    expression: str
    anchors: Anchors

    @property
    def rarest(self) -> frozenset[str]:
        """Return the rarest of the anchors, empty where there is none."""
        return _rarest(self.anchors)

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """Return the regular expression, compiled on first use: most templates never need it."""
        return re.compile(self.expression)

    def find(self, said: Spoken, over_sentences: bool = False) -> list[tuple[int, int]]:
        """Return the ranges of words [first, past) that match, left to right, not overlapping.

        A match lies in one sentence, or may run over their marks with `over_sentences`.
        """
        present = said.present
        for words in self.anchors:
            if words.isdisjoint(present):
                return []
        ranges = [(0, len(said.line))] if over_sentences else said.sentence_offsets
        return [
            (said.word_at(m.start()), said.word_at(m.end() - 1) + 1)
            for begin, end in ranges
            for m in self.regex.finditer(said.line, begin, end)
            if m.end() > m.start()
        ]


@dataclass(frozen=True)
class _TemplatePart:
    regex: str
    anchors: Anchors = ()
    has_word: bool = False


class NamedLists:
    """Named alternatives for `<name>`; each entry is itself a template, read once."""

    def __init__(self, entries: Mapping[str, Sequence[str]], language: str = ENGLISH) -> None:
        self._entries = entries
        self.language = language
        self._pieces: dict[str, _TemplatePart] = {}

    def piece(self, name: str, depth: int) -> _TemplatePart:
        """Return the alternatives of a list; raises `TemplateError` for an unknown name."""
        if name not in self._entries:
            raise TemplateError(f"no list is named '{name}'")
        if name not in self._pieces:
            entries = self._entries[name]
            self._pieces[name] = _either([_Parser(e, self, depth).parse() for e in entries])
        return self._pieces[name]


def compile_template(source: str, lists: NamedLists) -> Template:
    """Return a template from its text.

    Raises `TemplateError` on unbalanced parentheses, unknown lists, or a template without words.
    """
    piece = _Parser(source, lists).parse()
    if not piece.has_word:
        raise TemplateError("has no word to look for")
    return Template(source, r"(?<![^ ])" + piece.regex, piece.anchors)


class _Parser:
    """Recursive descent over the tokens of one template."""

    def __init__(self, source: str, lists: NamedLists, depth: int = 0) -> None:
        self._tokens = _tokens(source)
        self._lists = lists
        self._at = 0
        self._depth = depth
        if depth > 8:
            raise TemplateError("a list that names itself")

    def parse(self) -> _TemplatePart:
        piece = self._options()
        if self._at < len(self._tokens):
            raise TemplateError(f"unexpected '{self._tokens[self._at]}'")
        return piece

    def _peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _sequence(self) -> _TemplatePart:
        pieces: list[_TemplatePart] = []
        while (token := self._peek()) is not None and token not in ")|":
            self._at += 1
            piece = self._element(token)
            if self._peek() == "?":
                self._at += 1
                piece = _TemplatePart(f"(?:{piece.regex})?")
            pieces.append(piece)
        return _TemplatePart(
            "".join(p.regex for p in pieces),
            tuple(dict.fromkeys(words for p in pieces for words in p.anchors)),
            any(p.has_word for p in pieces),
        )

    def _element(self, token: str) -> _TemplatePart:
        if token == "(":
            return self._group()
        if token == "?":
            raise TemplateError("'?' with nothing before it")
        if token == "...":
            return _TemplatePart(_gap(self._lists.language))
        if token == "_":
            return _TemplatePart(r"[^ .?]+[.?]? ")
        if token == "^":
            return _TemplatePart(r"(?:^|(?<=[.?] ))")
        if token == "$":
            return _TemplatePart(r"(?:$|(?<=[.?] ))")
        if token.startswith("<"):
            return self._lists.piece(token[1:-1], self._depth + 1)
        return _word(token, self._lists.language)

    def _group(self) -> _TemplatePart:
        piece = self._options()
        if self._peek() != ")":
            raise TemplateError("a '(' without its ')'")
        self._at += 1
        return piece

    def _options(self) -> _TemplatePart:
        options = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            options.append(self._sequence())
        return options[0] if len(options) == 1 else _either(options)


def _tokens(source: str) -> list[str]:
    tokens, at = [], 0
    text = source.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise TemplateError(f"cannot read '{text[at:]}'")
        tokens.append(found.group(1))
        at = found.end()
    return tokens


def _word(token: str, language: str) -> _TemplatePart:
    if token.endswith("*"):
        stem = token[:-1].lower()
        if not stem.isalnum():
            raise TemplateError(f"'{token}': only letters may stand before '*'")
        return _TemplatePart(re.escape(stem) + r"[^ .?]*[.?]? ", has_word=True)
    words = comparable(token, language)
    if not words:
        raise TemplateError(f"'{token}' is no word that can be looked for")
    regex = "".join(re.escape(w) + "[.?]? " for w in words)
    return _TemplatePart(regex, tuple(frozenset({w}) for w in words), True)


def _either(options: Sequence[_TemplatePart]) -> _TemplatePart:
    # The longest alternative first, so that "really upset" is not cut to "really".
    ordered = sorted(options, key=lambda p: len(p.regex), reverse=True)
    regex = "(?:" + "|".join(p.regex for p in ordered) + ")"
    has_word = all(p.has_word for p in options)
    return _TemplatePart(regex, _of_one(p.anchors for p in options), has_word)


def _gap(language: str) -> str:
    words = speech_tables(language)["negation"]["negators"]
    barred = rf"(?!(?:{'|'.join(words)})[.?]? )" if words else ""
    return rf"(?:(?<![.?] ){barred}[^ .?]+ ){{0,{_MAX_GAP}}}?"


def _of_one(options: Iterable[Anchors]) -> Anchors:
    """Return what one of several options has at least: a word of the rarest set of each."""
    rarest = [_rarest(anchors) for anchors in options]
    return (frozenset().union(*rarest),) if rarest and all(rarest) else ()


def _rarest(anchors: Anchors) -> frozenset[str]:
    """Return the set that skips the most turns, empty without any: long words are rare words."""
    return max(anchors, key=lambda a: (min(map(len, a)), -len(a), sorted(a)), default=frozenset())


# A negation reaches this many words back, asides not counted, and over this many words of a thing
# it joins.
_NEGATION_REACHES, _JOINED_WORDS = 7, 2


class Negation(StrEnum):
    """A thing is said not to be there before it is named, or only imagined."""

    DENIED = "denied"
    IMAGINED = "imagined"


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
    def anchors(self) -> Anchors:
        """Return sets of words, of each of which every match contains one."""
        return _of_one(template.anchors for template in self.patterns)

    def find(self, said: Spoken, among: Sequence[Template] | None = None) -> list[tuple[int, int]]:
        """Return ranges of words [first, past) that the rule matches, overlapping ones joined.

        `among` are the only patterns of the rule that may match (see `Index`).
        """
        found = self._found(said, among)
        if self.negatable:
            found = [f for f in found if not is_negated(said, f[0])]
        return self._joined(said, found)

    def negated(
        self, said: Spoken, among: Sequence[Template] | None = None
    ) -> dict[Negation, list[tuple[int, int]]]:
        """Return what the rule would recognise, had it not been denied or merely imagined."""
        if not self.negatable:
            return {}
        found: dict[Negation, list[tuple[int, int]]] = {}
        for first, past in self._found(said, among):
            if kind := negation(said, first):
                found.setdefault(kind, []).append((first, past))
        return {kind: self._joined(said, own) for kind, own in found.items()}

    def _found(self, said: Spoken, among: Sequence[Template] | None) -> list[tuple[int, int]]:
        if among is None:
            if any(words.isdisjoint(said.present) for words in self.anchors):
                return []
            among = self.patterns
        return [
            (first, past)
            for template in among
            for first, past in template.find(said, self.over_sentences)
            if not (self.ends_clause and _goes_on(said, past))
        ]

    def _joined(self, said: Spoken, found: list[tuple[int, int]]) -> list[tuple[int, int]]:
        if not found:
            return []
        barred = [s for template in self.unless for s in template.find(said, self.over_sentences)]
        kept = [f for f in found if not any(b[0] < f[1] and f[0] < b[1] for b in barred)]
        return _joined(sorted(kept))


R = TypeVar("R", bound=PhraseRule)
Indexed = TypeVar("Indexed", bound=PhraseRule)


class Index(Generic[Indexed]):
    """Rules by the words that their patterns need: a turn has few of the words of a few thousand.

    What is found is what each rule finds by itself.
    """

    def __init__(self, rules: Sequence[tuple[Indexed, Matcher]]) -> None:
        """Take the rules, in the order in which they are returned."""
        self._rules = rules
        self._by_word: dict[str, list[tuple[int, int]]] = {}
        self._always: list[tuple[int, int]] = []
        for place, (_, matcher) in enumerate(rules):
            for number, template in enumerate(matcher.patterns):
                if not template.rarest:
                    self._always.append((place, number))
                for word in template.rarest:
                    self._by_word.setdefault(word, []).append((place, number))

    def __call__(self, said: Spoken) -> Iterator[tuple[Indexed, Matcher, list[Template]]]:
        """Yield each rule that may match, with those of its patterns that may."""
        numbers = set(self._always)
        for word in said.present:
            numbers.update(self._by_word.get(word, ()))
        for place, own in groupby(sorted(numbers), itemgetter(0)):
            rule, matcher = self._rules[place]
            yield rule, matcher, [matcher.patterns[number] for _, number in own]


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
            RuleFile(str(path), path.read_text(encoding="utf-8-sig"))
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
    """Return whether what begins at this word is denied or merely imagined before it."""
    return negation(said, first) is not None


def negation(said: Spoken, first: int) -> Negation | None:
    """Return what is said before this word of what begins at it; None for nothing.

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
            return Negation.IMAGINED
        if word in table["negators"]:
            return None if _is_harmless(said, index, after, table) else Negation.DENIED
        if word in table["joining"]:
            joined = _JOINED_WORDS
        elif word not in table["transparent"]:
            if not joined:
                return None
            joined -= 1
        after.insert(0, word)
        index, seen = index - 1, seen + 1
    return None


def _goes_on(said: Spoken, past: int) -> bool:
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
    if word == "never" or "ever" in after:
        return any(w in table["emphatic"] for w in after)
    return index > 0 and said.words[index - 1] in table["unsurpassed"] and "more" in after


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
