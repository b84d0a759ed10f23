"""Recognised speech as comparable words, each with the word of the source it came from.

Recognisers differ in case, punctuation and contractions, and people stumble. The result is text in
which phrases can be searched: lower case, contractions opened ("I'm" -> "i am"), fillers and
repeated starts ("I was, I was") dropped. The tables are data: `speech.toml`.
"""

import re
import tomllib
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

_BRACKETED = re.compile(r"\[[^\]]*\]|<[^>]*>")
_PLACEHOLDER = re.compile(r"(\[([a-z_]+)\])[.,?!;:…]*")
_LONGEST_STUTTER = 3
# The prefix of kinds that settings add.
_OWN_KIND = "private_"


ENGLISH = "en"


@cache
def speech_tables(language: str = ENGLISH) -> dict[str, Any]:
    """Return the tables of `speech.toml`, or those of another language (`languages/de.toml`).

    Another language has fillers and negators of its own, and no English contractions or spellings;
    one without a file has neither.
    """
    folder = files("warmline.phrases")
    tables = tomllib.loads(folder.joinpath("speech.toml").read_text(encoding="utf-8"))
    if language == ENGLISH:
        return tables
    file = folder.joinpath(f"languages/{language}.toml")
    own = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return {
        "placeholders": tables["placeholders"],
        "fillers": own.get("fillers", []),
        "negation": {"negators": own.get("negators", [])},
        "suffixes": {},
        "is_after": {"words": []},
        "spellings": {},
        "pairs": {},
    }


@dataclass(frozen=True)
class Spoken:
    """Comparable words of one turn.

    `words[i]` came from source word `sources[i]`; `marks[i]` is `.` or `?` where a sentence ended
    after it, else empty. Punctuation is a hint that unpunctuated transcripts lack.
    """

    words: tuple[str, ...]
    sources: tuple[int, ...]
    marks: tuple[str, ...]

    @cached_property
    def line(self) -> str:
        """Return all words, each followed by its mark and one space: the text to search."""
        return "".join(f"{w}{m} " for w, m in zip(self.words, self.marks, strict=True))

    @cached_property
    def present(self) -> frozenset[str]:
        """Return the distinct words, to skip patterns that cannot match."""
        return frozenset(self.words)

    @cached_property
    def _offsets(self) -> tuple[int, ...]:
        at, offsets = 0, []
        for word, mark in zip(self.words, self.marks, strict=True):
            offsets.append(at)
            at += len(word) + len(mark) + 1
        return tuple(offsets)

    @cached_property
    def sentence_offsets(self) -> tuple[tuple[int, int], ...]:
        """Return the characters [first, past) of `line` that each sentence takes."""
        starts = (*self._offsets, len(self.line))
        return tuple((starts[first], starts[past]) for first, past in self.sentences())

    def word_at(self, offset: int) -> int:
        """Return the index of the word that holds this character of `line`."""
        return bisect_right(self._offsets, offset) - 1

    def sentences(self) -> list[tuple[int, int]]:
        """Return ranges of words [first, past) between sentence marks."""
        ranges, first = [], 0
        for index, mark in enumerate(self.marks):
            if mark:
                ranges.append((first, index + 1))
                first = index + 1
        if first < len(self.words):
            ranges.append((first, len(self.words)))
        return ranges


def spoken(source: Sequence[str], language: str = ENGLISH) -> Spoken:
    """Return the comparable form of a sequence of recognised words."""
    words: list[str] = []
    sources: list[int] = []
    marks: list[str] = []
    for index, raw in enumerate(source):
        for word, mark in _parts(raw, language):
            if word:
                words.append(word)
                sources.append(index)
                marks.append(mark)
                _join_pair(words, sources, marks, speech_tables(language)["pairs"])
                _drop_stutter(words, sources, marks)
            elif mark and marks:
                marks[-1] = mark
    return Spoken(tuple(words), tuple(sources), tuple(marks))


def spoken_text(text: str, language: str = ENGLISH) -> Spoken:
    """Return the comparable form of a text; sources count its words as split at white space.

    Notes in brackets (`[background noise]`) are not words but keep their places; placeholders are.
    """
    return spoken(_BRACKETED.sub(_masked, text).split(), language)


def placeholder(word: str) -> str | None:
    """Return the placeholder that a word is ("[card]"), without marks; None for any other word."""
    found = _PLACEHOLDER.fullmatch(word.strip())
    if not found:
        return None
    is_known = found.group(2) in _placeholders() or found.group(2).startswith(_OWN_KIND)
    return found.group(1) if is_known else None


@cache
def _placeholders() -> frozenset[str]:
    return frozenset(speech_tables()["placeholders"])


def _masked(note: re.Match[str]) -> str:
    text = note.group()
    return text if placeholder(text) else " ".join("[]" for _ in text.split())


def comparable(word: str, language: str = ENGLISH) -> tuple[str, ...]:
    """Return one written word as the comparable words it stands for, without fillers."""
    return tuple(w for w, _ in _parts(word, language) if w)


@cache
def _parts(raw: str, language: str) -> tuple[tuple[str, str], ...]:
    """Return (word, mark) pairs of one source word; a filler gives an empty word but keeps its
    mark.
    """
    tables = speech_tables(language)
    text = unicodedata.normalize("NFKC", raw).strip().lower()
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("`", "'")
    if name := placeholder(text):
        return ((name, _mark(text.removeprefix(name))),)
    if _BRACKETED.fullmatch(text):
        return ()
    mark = _mark(text)
    if re.search(r"\w-[.,]*$", text):
        # A truncated word ("th-") is not a word; a mark after it still ends the sentence.
        return (("", mark),) if mark else ()
    pieces = re.findall(r"[\w'$€£%+]+", text.replace("_", " "))
    words = [w for piece in pieces for w in _open(piece, tables)]
    kept = [w for w in words if w not in tables["fillers"]]
    if not kept:
        return (("", mark),) if mark else ()
    return (*((w, "") for w in kept[:-1]), (kept[-1], mark))


def _mark(text: str) -> str:
    tail = re.search(r"[.?!;:…\"')\]]+$", text)
    if not tail:
        return ""
    if "?" in tail.group():
        return "?"
    return "." if re.search(r"[.!;:…]", tail.group()) else ""


def _open(word: str, tables: dict[str, Any]) -> Iterable[str]:
    spelled: str | None = tables["spellings"].get(word)
    if spelled is not None:
        return spelled.split()
    if word.strip("'") != word:
        return _open(word.strip("'"), tables)
    for suffix, opened in tables["suffixes"].items():
        if word.endswith(suffix) and len(word) > len(suffix):
            return (*_open(word.removesuffix(suffix), tables), opened)
    if word.endswith("'s"):
        stem = word.removesuffix("'s")
        return (stem, "is") if stem in tables["is_after"]["words"] else (stem + "s",)
    bare = word.replace("'", "")
    return (bare,) if bare else ()


def _join_pair(
    words: list[str], sources: list[int], marks: list[str], pairs: dict[str, str]
) -> None:
    """Apply the `pairs` table to the last two words."""
    if len(words) < 2 or marks[-2]:
        return
    other = pairs.get(f"{words[-2]} {words[-1]}")
    if other is None:
        return
    first, mark = sources[-2], marks[-1]
    parts = other.split()
    where = [first] * (len(parts) - 1) + [sources[-1]]
    words[-2:], sources[-2:] = parts, where
    marks[-2:] = [""] * (len(parts) - 1) + [mark]


def _drop_stutter(words: list[str], sources: list[int], marks: list[str]) -> None:
    """Drop the first of two equal adjacent runs of up to three words."""
    for n in range(1, _LONGEST_STUTTER + 1):
        if len(words) >= 2 * n and words[-2 * n : -n] == words[-n:]:
            del words[-2 * n : -n], sources[-2 * n : -n], marks[-2 * n : -n]
            return
