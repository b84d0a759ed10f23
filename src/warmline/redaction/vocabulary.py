"""What the file of a language says: its words for numbers, letters and months, and lists of words.

A language has a file of its own in `languages`. A number may be one word there
("vierundzwanzig", "ventitré", "tweeduizendvijf") or several ("treinta y cuatro",
"quatre-vingt-dix-sept").
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from warmline.phrases.spoken import ENGLISH

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
