"""Written text as a recogniser might have heard it: no marks, fillers, repeats, lost words."""

import random
import re
from collections.abc import Sequence

_FILLERS = ("um", "uh", "you know", "i mean", "like", "well", "so", "uh huh", "yeah")
_MARK = re.compile(r"[^\w\s']+")
_PLACEHOLDER = re.compile(r"\[(NAME|RELIGION)\]")
_PERSONS = ("he", "she", "they", "you")
_UNMARKED, _DISFLUENT = 0.5, 0.35
_FILLER, _REPEAT, _LOST = 0.04, 0.03, 0.03


def as_spoken(text: str, random_: random.Random) -> str:
    """The text, often changed as speech recognition changes it; what it means stays."""
    return " ".join(word for word, _ in heard(text.split(), random_)) or text


def heard(words: Sequence[str], random_: random.Random) -> list[tuple[str, int]]:
    """Words as they might be heard, each with the place of the word it comes from."""
    unmarked = random_.random() < _UNMARKED
    disfluent = random_.random() < _DISFLUENT
    found: list[tuple[str, int]] = []
    for place, word in enumerate(words):
        plain = _PLACEHOLDER.sub(lambda _: random_.choice(_PERSONS), word)
        if unmarked:
            plain = _MARK.sub(" ", plain.lower()).strip()
        if not plain:
            continue
        chance = random_.random() if disfluent else 1.0
        if chance < _LOST:
            continue
        if _LOST <= chance < _LOST + _FILLER:
            found.append((random_.choice(_FILLERS), place))
        elif chance < _LOST + _FILLER + _REPEAT:
            found.append((plain, place))
        found.append((plain, place))
    return found
