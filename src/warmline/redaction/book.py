"""How private things are announced in a language, and what they consist of: its file, compiled."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from warmline.errors import SettingsError
from warmline.phrases import spoken
from warmline.phrases.rules import (
    NamedLists,
    Template,
    TemplateError,
    compile_template,
)
from warmline.phrases.spoken import ENGLISH
from warmline.redaction.vocabulary import Vocabulary, languages, vocabulary
from warmline.settings.operation import ExtraKind

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
            for word in label.anchors or ():
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
    if vague := [template.source for template in found if template.anchors is None]:
        raise SettingsError(f"{where}: label '{vague[0]}' has no word that is always said")
    return found
