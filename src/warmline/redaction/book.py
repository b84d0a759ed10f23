"""What `rules.toml` says, compiled: how private things are announced, and what they consist of."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from warmline.errors import SettingsError
from warmline.phrases import spoken
from warmline.phrases.template import NamedLists, Template, compile_template

_FILE = "rules.toml"


@dataclass(frozen=True)
class Kind:
    """One kind of private thing. `least` and `most` bound the digits it has once it was announced.

    `hides` are pairs of what is said and what is left of it, `keeps` what must be left alone.
    """

    id: str
    means: str
    labels: tuple[Template, ...]
    least: int
    most: int
    hides: tuple[tuple[str, str], ...]
    keeps: tuple[str, ...]


@cache
def kinds() -> dict[str, Kind]:
    """All kinds by name, in the order of the file."""
    return {entry["id"]: _kind(entry) for entry in _table()["kind"]}


@cache
def other_labels() -> tuple[Template, ...]:
    """What announces that numbers to come are nothing private."""
    return _templates(_table()["other"]["labels"])


@cache
def names_for_numbers() -> dict[str, dict[str, Any]]:
    """The words that stand for numbers, by sort."""
    found: dict[str, dict[str, Any]] = _table()["numbers"]
    return found


@cache
def word_list(section: str, name: str) -> frozenset[str]:
    """A list of words of the file."""
    return frozenset(_table()[section][name])


def labels_in(words: Sequence[str]) -> list[tuple[int, int, str | None]]:
    """Labels in a stretch of words: (first, past, kind), None for what is nothing private.

    Where labels overlap, the one that begins first counts, then the longest.
    """
    said = spoken(words)
    found = [
        (said.sources[first], said.sources[past - 1] + 1, kind)
        for kind, template in _candidates(said.present)
        for first, past in template.find(said)
    ]
    found.sort(key=lambda label: (label[0], -label[1], label[2] or ""))
    kept: list[tuple[int, int, str | None]] = []
    for label in found:
        if not kept or label[0] >= kept[-1][1]:
            kept.append(label)
    return kept


def _candidates(present: frozenset[str]) -> list[tuple[str | None, Template]]:
    """The labels of which some word is there: of hundreds, few are."""
    labels, by_word = _labels()
    found = {index for word in present & by_word.keys() for index in by_word[word]}
    return [labels[index] for index in sorted(found)]


@cache
def _labels() -> tuple[list[tuple[str | None, Template]], dict[str, list[int]]]:
    """Every label with its kind, and which of them have a word that is said in all they mean."""
    labels: list[tuple[str | None, Template]] = [
        *((kind.id, label) for kind in kinds().values() for label in kind.labels),
        *((None, label) for label in other_labels()),
    ]
    by_word: defaultdict[str, list[int]] = defaultdict(list)
    for index, (_, label) in enumerate(labels):
        for word in label.anchors or ():
            by_word[word].append(index)
    return labels, dict(by_word)


def _kind(entry: dict[str, Any]) -> Kind:
    return Kind(
        entry["id"],
        entry["means"],
        _templates(entry.get("labels", ())),
        entry.get("least", 0),
        entry.get("most", 0),
        tuple((said, left) for said, left in entry.get("hides", ())),
        tuple(entry.get("keeps", ())),
    )


def _templates(sources: Iterable[str]) -> tuple[Template, ...]:
    found = tuple(compile_template(source, NamedLists({})) for source in sources)
    if vague := [template.source for template in found if template.anchors is None]:
        raise SettingsError(f"{_FILE}: '{vague[0]}' has no word that is always said")
    return found


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("warmline.redaction").joinpath(_FILE).read_text(encoding="utf-8"))
