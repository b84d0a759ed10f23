"""Reflections by echo: the agent says back, in a statement, what the customer has just said.

After the reflection of MITI 4 (a statement that gives the client's meaning back): here it is seen
from shared content words alone, so that simple reflections are found and deep ones are not.
"""

import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from warmline.analysis import Moment
from warmline.language.passages import Passage
from warmline.phrases import Spoken
from warmline.values import RoleName

_RULE = "attentive.echoes"
_STRENGTH = 0.65
# The customer's turns that an agent can be saying back.
_REMEMBERED_TURNS = 2
_LEAST_SHARED = 2
_LEAST_SHARE = 0.34
_LONGEST_CLAUSE = 25
_CONNECTORS = frozenset({"and", "but", "so", "because", "then", "okay", "or", "which"})
_FIRST_PERSON = frozenset({"i", "we", "me", "my", "us", "our"})
_SECOND_PERSON = frozenset({"you", "your", "yours"})
# An echo that is one of these is counted as what it is.
_OTHER_MEANING = frozenset(
    {"attentive", "question_open", "question_closed", "slot_request", "offer", "solution"}
)


def echoes(passages: Sequence[Passage], moments: Sequence[Moment]) -> list[Moment]:
    """Agents' statements about the customer in which the customer's own content words return."""
    taken: dict[int, list[Moment]] = {}
    for moment in moments:
        if moment.kind in _OTHER_MEANING:
            taken.setdefault(moment.turn_index, []).append(moment)
    found: list[Moment] = []
    heard: list[frozenset[str]] = []
    for passage in passages:
        if passage.turn.role is RoleName.CUSTOMER:
            heard.append(frozenset(_content(passage.said.words)))
        elif passage.turn.role is RoleName.AGENT:
            theirs = frozenset().union(*heard[-_REMEMBERED_TURNS:])
            found += _in_turn(passage, theirs, taken.get(passage.turn.index, []))
    return found


def _in_turn(passage: Passage, theirs: frozenset[str], taken: Sequence[Moment]) -> list[Moment]:
    found = []
    for first, past in _clauses(passage.said):
        if not _echoes(passage.said.words[first:past], theirs):
            continue
        moment = passage.moment("attentive", "reflection", first, past, _RULE, _STRENGTH)
        if not any(_overlap(moment, other) for other in taken):
            found.append(moment)
    return found


def _echoes(words: Sequence[str], theirs: frozenset[str]) -> bool:
    if not _SECOND_PERSON.intersection(words) or _FIRST_PERSON.intersection(words):
        return False
    own = set(_content(words))
    shared = own & theirs
    return len(shared) >= _LEAST_SHARED and len(shared) >= _LEAST_SHARE * len(own)


def _overlap(moment: Moment, other: Moment) -> bool:
    return moment.start_s < other.end_s and other.start_s < moment.end_s


def _clauses(said: Spoken) -> Iterator[tuple[int, int]]:
    """Sentences; long ones, as transcripts without marks have them, cut at connectors."""
    for first, past in said.sentences():
        if past - first <= _LONGEST_CLAUSE:
            yield first, past
            continue
        start = first
        for index in range(first + 1, past):
            if said.words[index] in _CONNECTORS:
                yield start, index
                start = index
        yield start, past


def _content(words: Sequence[str]) -> Iterator[str]:
    """Content words without their endings, so that "charged" meets "charge"."""
    for word in words:
        if word not in _function_words() and not word.isdigit():
            yield _stem(word)


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "ed", "es", "ly", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


@cache
def _function_words() -> frozenset[str]:
    text = files("warmline.language").joinpath("function_words.toml").read_text(encoding="utf-8")
    return frozenset(tomllib.loads(text)["words"])
