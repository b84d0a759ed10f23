"""Phrase templates: a small, readable language for how a thing is said, compiled to `re`.

    i am worried            these words, in this order ("I'm worried" is the same)
    worr*                   a word that begins so
    (so|very)? worried      alternatives, of one or more words; `?` after anything: may be absent
    <feeling>               one entry of a named list
    ...                     up to three words in between, no negation, not past a sentence mark
    _                       exactly one word, whichever
    ^  $                    the sentence (or turn) begins, ends here

A template matches whole words only. Its words stand in one sentence, unless the rule says that they
may run over a sentence mark.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from warmline.phrases.spoken import ENGLISH, Spoken, comparable, speech_tables

_TOKEN = re.compile(r"\s*(\.\.\.|<[a-z_]+>|[()|?^$]|_(?!\w)|[^\s()|?^$<>]+)")
_MAX_GAP = 3


class TemplateError(ValueError):
    """A template is malformed; the message says where."""


@dataclass(frozen=True)
class Template:
    """A compiled template: `source` as it was written, `expression` as `re` reads it.

    `anchors`: at least one of these words is in every match; None when that is not known.
    """

    source: str
    expression: str
    anchors: frozenset[str] | None

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """Return the regular expression, compiled on first use: most templates never need it."""
        return re.compile(self.expression)

    def find(self, said: Spoken, over_sentences: bool = False) -> list[tuple[int, int]]:
        """Return the ranges of words [first, past) that match, left to right, not overlapping.

        A match lies in one sentence, or may run over their marks with `over_sentences`.
        """
        if self.anchors is not None and self.anchors.isdisjoint(said.present):
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
    anchors: frozenset[str] | None
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
                piece = _TemplatePart(f"(?:{piece.regex})?", None)
            pieces.append(piece)
        return _TemplatePart(
            "".join(p.regex for p in pieces),
            _best(p.anchors for p in pieces),
            any(p.has_word for p in pieces),
        )

    def _element(self, token: str) -> _TemplatePart:
        if token == "(":
            return self._group()
        if token == "?":
            raise TemplateError("'?' with nothing before it")
        if token == "...":
            return _TemplatePart(_gap(self._lists.language), None)
        if token == "_":
            return _TemplatePart(r"[^ .?]+[.?]? ", None)
        if token == "^":
            return _TemplatePart(r"(?:^|(?<=[.?] ))", None)
        if token == "$":
            return _TemplatePart(r"(?:$|(?<=[.?] ))", None)
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
        return _TemplatePart(re.escape(stem) + r"[^ .?]*[.?]? ", None, True)
    words = comparable(token, language)
    if not words:
        raise TemplateError(f"'{token}' is no word that can be looked for")
    regex = "".join(re.escape(w) + "[.?]? " for w in words)
    return _TemplatePart(regex, _best(frozenset({w}) for w in words), True)


def _either(options: Sequence[_TemplatePart]) -> _TemplatePart:
    # The longest alternative first, so that "really upset" is not cut to "really".
    ordered = sorted(options, key=lambda p: len(p.regex), reverse=True)
    regex = "(?:" + "|".join(p.regex for p in ordered) + ")"
    has_word = all(p.has_word for p in options)
    if any(p.anchors is None for p in options):
        return _TemplatePart(regex, None, has_word)
    return _TemplatePart(regex, frozenset().union(*(p.anchors or () for p in options)), has_word)


def _gap(language: str) -> str:
    words = speech_tables(language)["negation"]["negators"]
    barred = rf"(?!(?:{'|'.join(words)})[.?]? )" if words else ""
    return rf"(?:(?<![.?] ){barred}[^ .?]+ ){{0,{_MAX_GAP}}}?"


def _best(found: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """Return, of the anchor sets that must all match, the one that skips the most turns."""
    known = [a for a in found if a]
    if not known:
        return None
    # Long words are rare words.
    return max(known, key=lambda a: (min(map(len, a)), -len(a), sorted(a)))
