"""What `rules.toml` says, compiled: how private things are announced, and what they consist of."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from warmline.errors import SettingsError
from warmline.phrases import spoken
from warmline.phrases.template import NamedLists, Template, TemplateError, compile_template
from warmline.settings.privacy import ExtraKind

_FILE = "rules.toml"
_IS = re.compile(r"['’]s(?=\W*$)", re.IGNORECASE)


#: How labels bind, the stronger first.
PLAIN, DIRECT, MENTION, ANSWERED, AFTER = 0, 1, 2, 3, 4


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
    """What a value of a kind looks like, and what announces it.

    `labels` announce a value that may come later, `direct` ones only what follows at once;
    `mentions` announce as `labels` do, where no other label stands, `answered` ones only where the
    next turn is nothing but a value; `after` is what stands directly after one. It has
    `least` to `most` digits (of `made_of` "mixed": digits and letters), and at least `digits`
    digits; `both` says that letters must be among them. It is waited for `wait_s` seconds.
    """

    kind: str
    labels: tuple[Template, ...]
    direct: tuple[Template, ...]
    mentions: tuple[Template, ...]
    answered: tuple[Template, ...]
    after: tuple[Template, ...]
    made_of: str
    least: int
    most: int
    digits: int
    both: bool
    wait_s: float
    pattern: re.Pattern[str] | None


@dataclass(frozen=True, eq=False)
class Book:
    """Every form, those of the settings among them, and what announces that nothing is private."""

    forms: tuple[Form, ...]
    other: tuple[Template, ...]
    other_direct: tuple[Template, ...]

    @cached_property
    def labels(self) -> tuple[list[tuple[Form | None, int, Template]], dict[str, list[int]]]:
        """Every label with its form, and which of them have a word that is always said."""
        labels: list[tuple[Form | None, int, Template]] = [
            *((form, PLAIN, label) for form in self.forms for label in form.labels),
            *((form, DIRECT, label) for form in self.forms for label in form.direct),
            *((form, MENTION, label) for form in self.forms for label in form.mentions),
            *((form, ANSWERED, label) for form in self.forms for label in form.answered),
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
def kinds() -> dict[str, Kind]:
    """Return all kinds by name, in the order of the file."""
    return {
        entry["id"]: Kind(
            entry["id"],
            entry["means"],
            tuple((said, left) for said, left in entry.get("hides", ())),
            tuple(entry.get("keeps", ())),
        )
        for entry in _table()["kind"]
    }


@cache
def book(extra: tuple[ExtraKind, ...] = ()) -> Book:
    """Return the rules, with kinds of the settings.

    Raises `SettingsError` for a kind whose labels or pattern cannot be read.
    """
    own = tuple(_form(entry, _FILE) for entry in _table()["form"])
    more = tuple(
        _form(kind.model_dump() | {"kind": kind.id}, f"[redaction] extra '{kind.id}'")
        for kind in extra
    )
    other = _table()["other"]
    return Book(
        (*own, *more),
        _templates(other["labels"], _FILE),
        _templates(other["direct"], _FILE),
    )


@cache
def names_for_numbers() -> dict[str, dict[str, Any]]:
    """Return the words that stand for numbers and letters, by sort."""
    found: dict[str, dict[str, Any]] = _table()["numbers"] | _table()["spelling"]
    return found


@cache
def word_list(section: str, name: str) -> frozenset[str]:
    """Return a list of words of the file."""
    return frozenset(_table()[section][name])


@cache
def explanations() -> tuple[tuple[str, ...], ...]:
    """Return what stands between a letter and the word that explains it, word by word."""
    return tuple(tuple(words.split()) for words in _table()["spelling"]["explanations"])


def labels_in(words: Sequence[str], rules: Book) -> list[tuple[int, int, Form | None, int]]:
    """Return labels in a stretch of words: (first, past, form, how it binds).

    The form is None for what is nothing private. Where plain labels overlap, the one that begins
    first counts, then the longest; others are left out where they overlap a plain one, and may
    overlap one another: which of them counts depends on what stands around them.
    """
    said = spoken([_IS.sub(" is", word) for word in words])
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


def _form(entry: Mapping[str, Any], where: str) -> Form:
    pattern = entry.get("pattern")
    try:
        compiled = re.compile(pattern) if pattern else None
    except re.error as e:
        raise SettingsError(f"{where}: pattern '{pattern}' is no regular expression: {e}") from e
    return Form(
        entry["kind"],
        _templates(entry.get("labels", ()), where),
        _templates(entry.get("direct", ()), where),
        _templates(entry.get("mentions", ()), where),
        _templates(entry.get("answered", ()), where),
        _templates(entry.get("after", ()), where),
        entry.get("made_of", "digits"),
        entry.get("least", 1),
        entry.get("most", 0),
        entry.get("digits", 0),
        entry.get("both", False),
        entry.get("wait_s", 40.0),
        compiled,
    )


def _templates(sources: Iterable[str], where: str) -> tuple[Template, ...]:
    try:
        found = tuple(compile_template(source, NamedLists({})) for source in sources)
    except TemplateError as e:
        raise SettingsError(f"{where}: a label cannot be read: {e}") from e
    if vague := [template.source for template in found if template.anchors is None]:
        raise SettingsError(f"{where}: label '{vague[0]}' has no word that is always said")
    return found


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("warmline.redaction").joinpath(_FILE).read_text(encoding="utf-8"))
