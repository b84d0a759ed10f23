"""Turns cut into clauses: one act of speaking each, also where nobody wrote a mark.

A sentence is cut where a coordinator begins a new clause ("... and you", "... but it is") and where
a question begins by inversion ("what do you", "did you"). Clauses under another ("because", "if",
"that") stay with it: they carry no act of their own.
"""

import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from warmline.phrases import Spoken

_COORDINATORS = frozenset({"and", "but", "so", "or", "then", "okay", "alright"})
SUBJECTS = frozenset(
    {"i", "we", "you", "he", "she", "it", "they", "that", "this", "there", "your", "my", "those"}
)
_INTERROGATIVES = frozenset({"what", "how", "why", "when", "where", "who", "which"})
_AUXILIARIES = frozenset(
    {
        *("do", "does", "did", "is", "are", "was", "were", "have", "has", "had"),
        *("can", "could", "will", "would", "should", "might", "may"),
    }
)
# Before one of these, inversion is no new question ("more than do you", "how are you").
_GOVERNORS = _INTERROGATIVES | frozenset(
    {"that", "than", "as", "so", "because", "if", "like", "and", "but", "or", "whether"}
)
_OPENERS = frozenset({"sounds", "seems", "part", "maybe"}).union(
    _INTERROGATIVES, _AUXILIARIES, SUBJECTS
)
# Words that open a clause without being of it.
_MARKERS = frozenset(
    {
        *("okay", "alright", "right", "yes", "no", "so", "and", "now", "oh", "well", "then"),
        *("sure", "but", "or", "because", "great", "actually", "also", "basically"),
    }
)
_ASIDES = (("i", "see"), ("i", "mean"), ("you", "know"), ("of", "course"), ("i", "guess"))
_FIRST_PERSON = frozenset({"i", "we", "me", "my", "us", "our", "myself"})
OTHERS = frozenset({"he", "she", "they", "it", "that", "this", "there", "his", "her", "their"})
_FORETELLING = frozenset({"will", "can", "may", "shall"})
_LEAST_WORDS = 3


def clauses(said: Spoken) -> list[tuple[int, int]]:
    """Ranges of words [first, past), together all of them."""
    return [part for sentence in said.sentences() for part in _parts(said.words, *sentence)]


def lead(words: Sequence[str], first: int, past: int) -> tuple[frozenset[str], int]:
    """The markers that a clause opens with, and where it goes on."""
    at = first
    while at < past:
        if words[at] in _MARKERS and tuple(words[at : at + 2]) != ("so", "that"):
            at += 1
        elif tuple(words[at : at + 2]) in _ASIDES and at + 2 < past and _goes_on(words[at + 2]):
            at += 2
        else:
            break
    return frozenset(words[first:at]), at


def is_inverted(words: Sequence[str]) -> bool:
    """Whether an auxiliary stands before its subject: a question by form."""
    return words[0] in _AUXILIARIES and words[1] in SUBJECTS - {"your", "my", "that"}


def foretells(after: Sequence[str]) -> bool:
    """Whether what follows "you" is what they will or can do, which is no experience of theirs."""
    return bool(after) and after[0] in _FORETELLING and "not" not in after[1:2]


def content(words: Sequence[str]) -> Iterator[str]:
    """Content words without their endings, so that "charged" meets "charge"."""
    for word in words:
        if word not in _function_words() and not word.isdigit():
            yield _stem(word)


def part(said: Spoken, first: int, past: int) -> Spoken:
    """A range of words as if it were all that was said."""
    return Spoken(said.words[first:past], said.sources[first:past], said.marks[first:past])


def _parts(words: Sequence[str], first: int, past: int) -> Iterator[tuple[int, int]]:
    start = first
    for index in range(first + _LEAST_WORDS, past - _LEAST_WORDS + 1):
        if index - start >= _LEAST_WORDS and _begins(words, index):
            yield start, index
            start = index
    yield start, past


def _begins(words: Sequence[str], at: int) -> bool:
    word, after = words[at], words[at + 1]
    if word in _COORDINATORS:
        return after in _OPENERS
    if word in _INTERROGATIVES and after in _AUXILIARIES:
        return words[at + 2] in SUBJECTS and words[at - 1] not in _COORDINATORS
    return word in _AUXILIARIES and after == "you" and words[at - 1] not in _GOVERNORS | SUBJECTS


def _goes_on(word: str) -> bool:
    return word in OTHERS | _FIRST_PERSON | {"you", "your", "so", "but", "and", "what", "the", "a"}


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "ed", "es", "ly", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


@cache
def _function_words() -> frozenset[str]:
    text = files("warmline.language").joinpath("function_words.toml").read_text(encoding="utf-8")
    return frozenset(tomllib.loads(text)["words"])
