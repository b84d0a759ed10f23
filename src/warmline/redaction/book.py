"""The file of a language, compiled: its vocabulary, and how private things are announced in it.

A language has a file of its own in `languages`. A number may be one word there
("vierundzwanzig", "ventitré", "tweeduizendvijf") or several ("treinta y cuatro",
"quatre-vingt-dix-sept").
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from warmline.errors import SettingsError
from warmline.phrases import (
    NamedLists,
    Template,
    TemplateError,
    compile_template,
    spoken,
)
from warmline.phrases.spoken import ENGLISH
from warmline.settings import ExtraKind

_HUNDRED, _THOUSAND = 100, 1000
_TEENS = 20


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The words of one language. `code` is its ISO 639-1 code, `table` what its file says."""

    code: str
    table: Mapping[str, Any] = field(repr=False)
    _lists: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict, repr=False)

    def words(self, section: str, name: str) -> frozenset[str]:
        """Return a list of words; an empty one where the language has none of that name."""
        key = section, name
        if key not in self._lists:
            self._lists[key] = frozenset(self.table.get(section, {}).get(name, ()))
        return self._lists[key]

    def numbers(self, name: str) -> Mapping[str, Any]:
        """Return the words that stand for digits, tens, letters and so on, with what they mean."""
        found: Mapping[str, Any] = self.table["numbers"].get(name, {})
        return found

    @property
    def letters(self) -> Mapping[str, str]:
        """Return what letters are called, with the letter: "see" is C."""
        found: Mapping[str, str] = self.table["spelling"].get("letter_sounds", {})
        return found

    @cached_property
    def explanations(self) -> tuple[tuple[str, ...], ...]:
        """Return what stands between a letter and the word that explains it, word by word."""
        return tuple(tuple(words.split()) for words in self.table["spelling"]["explanations"])

    @cached_property
    def phone(self) -> re.Pattern[str] | None:
        """Return what digits look like that are dialled there; None where code says it."""
        pattern = self.table.get("phones", {}).get("pattern")
        return re.compile(pattern) if pattern else None

    def compound(self, word: str) -> int | None:
        """Return the number that one word is put together of: "dreihundertvierzig" is 340."""
        if not self._parts or word in self._parts.get("units", {}):
            return None
        return self._below_million(word)

    def ordinal(self, word: str) -> int | None:
        """Return the number of an ordinal by its ending: "vierundzwanzigsten" is 24."""
        for ending in self._parts.get("ordinals", ()):
            stem = word.removesuffix(ending)
            if stem != word and (number := self.compound(stem)):
                return number
        return None

    @cached_property
    def _parts(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.table["numbers"].get("compounds", {})
        return found

    @cached_property
    def _units(self) -> dict[str, int]:
        """Return how digits are called within a word."""
        own = {word: int(digits) for word, digits in self.numbers("digits").items() if digits > "0"}
        return own | {word: int(digits) for word, digits in self._parts.get("units", {}).items()}

    @cached_property
    def _below_hundred(self) -> dict[str, int]:
        """Return every number from 1 to 99 that may be a word, or a part of one."""
        found = self._units | {w: int(d) for w, d in self.numbers("teens").items()}
        tens = {word: int(digits) for word, digits in self.numbers("tens").items()}
        found |= tens
        for ten, value in tens.items():
            for unit, digit in self._units.items():
                found |= dict.fromkeys(self._joined(ten, unit), value + digit)
        return found

    def _joined(self, ten: str, unit: str) -> Iterator[str]:
        """Yield the words that a ten and a unit make together."""
        for joint in self._parts.get("joints", ()):
            yield f"{unit}{joint}{ten}"
        if self._parts.get("tens_first"):
            yield f"{ten[:-1] if unit[:1] in 'uo' else ten}{unit}"

    def _below_million(self, word: str) -> int | None:
        for thousand in self._parts["thousand"]:
            head, found, tail = word.partition(thousand)
            if found:
                times = self._below_thousand(head) if head else 1
                rest = self._after(tail)
                if times is not None and rest is not None:
                    return times * _THOUSAND + rest
        return self._below_thousand(word)

    def _below_thousand(self, word: str) -> int | None:
        for hundred in self._parts["hundred"]:
            head, found, tail = word.partition(hundred)
            if found:
                times = self._below_hundred.get(head) if head else 1
                rest = self._below_hundred.get(self._without_joint(tail)) if tail else 0
                if times is not None and times < _TEENS and rest is not None:
                    return times * _HUNDRED + rest
        return self._below_hundred.get(word)

    def _after(self, tail: str) -> int | None:
        return self._below_thousand(self._without_joint(tail)) if tail else 0

    def _without_joint(self, tail: str) -> str:
        for joint in self._parts.get("joints", ()):
            if tail.startswith(joint) and tail.removeprefix(joint) in self._below_hundred:
                return tail.removeprefix(joint)
        return tail


@cache
def vocabulary(language: str | None) -> Vocabulary:
    """Return the words of a language; those of English where it has no file, or is not known."""
    code = (language or ENGLISH).lower().partition("-")[0]
    folder = files("warmline.redaction").joinpath("languages")
    file = folder.joinpath(f"{code}.toml")
    if not code.isalpha() or not file.is_file():
        return vocabulary(ENGLISH)
    return Vocabulary(code, tomllib.loads(file.read_text(encoding="utf-8")))


def languages() -> tuple[str, ...]:
    """Return the codes of all languages that have a file, English first."""
    folder = files("warmline.redaction").joinpath("languages")
    codes = sorted(file.name.removesuffix(".toml") for file in folder.iterdir())
    return (ENGLISH, *(code for code in codes if code != ENGLISH))


# How private things are announced in a language, and what they consist of.


_IS = re.compile(r"['’]s(?=\W*$)", re.IGNORECASE)


#: How labels bind, the stronger first.
PLAIN, DIRECT, MENTION, ANSWERED, ADJACENT, AFTER = 0, 1, 2, 3, 4, 5


@dataclass(frozen=True)
class Kind:
    """One kind of private thing.

    `hides` are pairs of what is said and what is left of it, `keeps` what must be left alone.
    """

    id: str
    means: str
    hides: tuple[tuple[str, str], ...]
    keeps: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Form:
    """The forms of a kind's values, and the words that announce them.

    `labels` announce a value that may come later, `direct` ones only what follows at once;
    `mentions` announce as `labels` do, where no other label stands, `answered` ones only where the
    next turn is nothing but a value; `adjacent` is what stands directly before a value, with no
    word between, `after` what stands directly after one. It has `least` to `most` digits (of
    `made_of` "mixed": digits and letters), and at least `digits` digits; `both` says that letters
    must be among them, `is_quantity` that it may be said as one number with millions in it. It is
    waited for `wait_s` seconds.
    """

    kind: str
    labels: tuple[Template, ...]
    direct: tuple[Template, ...]
    mentions: tuple[Template, ...]
    answered: tuple[Template, ...]
    adjacent: tuple[Template, ...]
    after: tuple[Template, ...]
    made_of: str
    least: int
    most: int
    digits: int
    both: bool
    is_quantity: bool
    wait_s: float
    pattern: re.Pattern[str] | None


@dataclass(frozen=True, eq=False)
class Book:
    """Every form, those of the settings among them, and what announces that nothing is private."""

    vocabulary: Vocabulary
    forms: tuple[Form, ...]
    other: tuple[Template, ...]
    other_direct: tuple[Template, ...]

    @cached_property
    def labels(self) -> tuple[list[tuple[Form | None, int, Template]], dict[str, list[int]]]:
        """Return every label with its form, and which of them have a word that is always said."""
        labels: list[tuple[Form | None, int, Template]] = [
            *((form, PLAIN, label) for form in self.forms for label in form.labels),
            *((form, DIRECT, label) for form in self.forms for label in form.direct),
            *((form, MENTION, label) for form in self.forms for label in form.mentions),
            *((form, ANSWERED, label) for form in self.forms for label in form.answered),
            *((form, ADJACENT, label) for form in self.forms for label in form.adjacent),
            *((form, AFTER, label) for form in self.forms for label in form.after),
            *((None, PLAIN, label) for label in self.other),
            *((None, DIRECT, label) for label in self.other_direct),
        ]
        by_word: defaultdict[str, list[int]] = defaultdict(list)
        for index, (_, _, label) in enumerate(labels):
            for word in label.rarest:
                by_word[word].append(index)
        return labels, dict(by_word)


@cache
def kinds(language: str = ENGLISH) -> dict[str, Kind]:
    """Return all kinds by name, in the order of the file, with examples in a language."""
    table = vocabulary(language).table
    examples = {entry["id"]: entry for entry in table["kind"]}
    return {
        entry["id"]: Kind(
            entry["id"],
            entry["means"],
            tuple((said, left) for said, left in examples.get(entry["id"], {}).get("hides", ())),
            tuple(examples.get(entry["id"], {}).get("keeps", ())),
        )
        for entry in vocabulary(ENGLISH).table["kind"]
    }


@cache
def book(extra: tuple[ExtraKind, ...] = (), language: str | None = ENGLISH) -> Book:
    """Return the rules of a language, with kinds of the settings.

    Raises `SettingsError` for a kind whose labels or pattern cannot be read.
    """
    words = vocabulary(language)
    where = f"{words.code}.toml"
    own = tuple(_form(entry, where, words.code) for entry in words.table["form"])
    other = words.table["other"]
    return Book(
        words,
        (*own, *_forms_of_settings(extra, words.code)),
        _templates(other["labels"], where, words.code),
        _templates(other["direct"], where, words.code),
    )


def require_readable(extra: tuple[ExtraKind, ...]) -> None:
    """Raise `SettingsError` for a kind of the settings that cannot be read in some language."""
    for language in languages():
        _forms_of_settings(extra, language)


@cache
def _forms_of_settings(extra: tuple[ExtraKind, ...], language: str) -> tuple[Form, ...]:
    return tuple(
        _form(kind.model_dump() | {"kind": kind.id}, f"[redaction] extra '{kind.id}'", language)
        for kind in extra
    )


def labels_in(words: Sequence[str], rules: Book) -> list[tuple[int, int, Form | None, int]]:
    """Return labels in a stretch of words: (first, past, form, how it binds).

    The form is None for what is nothing private. Where plain labels overlap, the one that begins
    first counts, then the longest; others are left out where they overlap a plain one, and may
    overlap one another: which of them counts depends on what stands around them.
    """
    language = rules.vocabulary.code
    if language == ENGLISH:
        words = [_IS.sub(" is", word) for word in words]
    said = spoken(words, language)
    labels, by_word = rules.labels
    chosen = {index for word in said.present & by_word.keys() for index in by_word[word]}
    found = [
        (said.sources[first], said.sources[past - 1] + 1, *labels[index][:2])
        for index in sorted(chosen)
        for first, past in labels[index][2].find(said)
    ]
    found.sort(key=lambda label: (label[3], label[0], -label[1]))
    kept: list[tuple[int, int, Form | None, int]] = []
    for label in found:
        beside = [other for other in kept if label[0] < other[1] and other[0] < label[1]]
        if not any(other[3] == PLAIN or other[2:] == label[2:] for other in beside):
            kept.append(label)
    return sorted(kept, key=lambda label: label[:2])


def _form(entry: Mapping[str, Any], where: str, language: str) -> Form:
    pattern = entry.get("pattern")
    try:
        compiled = re.compile(pattern) if pattern else None
    except re.error as e:
        raise SettingsError(f"{where}: pattern '{pattern}' is no regular expression: {e}") from e
    return Form(
        entry["kind"],
        _templates(entry.get("labels", ()), where, language),
        _templates(entry.get("direct", ()), where, language),
        _templates(entry.get("mentions", ()), where, language),
        _templates(entry.get("answered", ()), where, language),
        _templates(entry.get("adjacent", ()), where, language),
        _templates(entry.get("after", ()), where, language),
        entry.get("made_of", "digits"),
        entry.get("least", 1),
        entry.get("most", 0),
        entry.get("digits", 0),
        entry.get("both", False),
        entry.get("is_quantity", False),
        entry.get("wait_s", 40.0),
        compiled,
    )


def _templates(sources: Iterable[str], where: str, language: str) -> tuple[Template, ...]:
    try:
        found = tuple(compile_template(source, NamedLists({}, language)) for source in sources)
    except TemplateError as e:
        raise SettingsError(f"{where}: a label cannot be read: {e}") from e
    if vague := [template.source for template in found if not template.anchors]:
        raise SettingsError(f"{where}: label '{vague[0]}' has no word that is always said")
    return found
