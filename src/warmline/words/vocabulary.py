"""Names and terms of a centre, and how the recogniser is brought to expect them.

This is contextual biasing by shallow fusion: while the text of a beam goes on with a listed term,
each token of the term raises the beam's score by a fixed amount, up to a bound; a text that leaves
the term before its end, or goes on with the same word after it, gives all of that back. Source:
Zhao et al. 2019, "Shallow-Fusion End-to-End Contextual Biasing", section 3, here on the tokens of
Whisper: a prefix tree whose terms begin and end where words do.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from warmline.errors import SettingsError
from warmline.settings import WordSettings

_LONGEST_TERM = 80  # characters
_MOST_TERMS = 5000


def read_terms(file: str) -> tuple[str, ...]:
    """Return the terms of a vocabulary file, each once, in its order; none for an empty name.

    A term a line; what follows a `#` at the beginning of a line or after a space is a comment.
    Raises `SettingsError` naming the file, and the line where one is wrong.
    """
    if not file:
        return ()
    path = Path(file).expanduser()
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as e:
        raise SettingsError(f"words.vocabulary: {path} cannot be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        number = e.object[: e.start].count(b"\n") + 1
        raise SettingsError(f"words.vocabulary: {path}, line {number}: not UTF-8") from e
    terms: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        term = " ".join(f" {line}".split(" #", 1)[0].split())
        if not term:
            continue
        if wrong := _why_refused(term):
            raise SettingsError(f"words.vocabulary: {path}, line {number}: {wrong}")
        terms[term] = None
    if not terms:
        raise SettingsError(f"words.vocabulary: {path} names no term; write one a line")
    if len(terms) > _MOST_TERMS:
        raise SettingsError(
            f"words.vocabulary: {path} has {len(terms)} terms, more than {_MOST_TERMS}: "
            "the more there are, the more are heard where nobody said them"
        )
    return tuple(terms)


def _why_refused(term: str) -> str | None:
    if len(term) > _LONGEST_TERM:
        return f"a term of {len(term)} characters, more than {_LONGEST_TERM}; write one a line"
    if not term.isprintable():
        return f"{term!r} has a character that cannot be printed"
    if not any(c.isalnum() for c in term):
        return f"{term!r} has no letter and no digit"
    return None


def fingerprint(settings: WordSettings) -> str | None:
    """Return a digest of the terms and their weight, for the cache key of an analysis.

    None where no file is named. Raises `SettingsError` as `read_terms`, and where the engine cannot
    be brought to expect anything.
    """
    terms = read_terms(settings.vocabulary)
    if not terms:
        return None
    if settings.engine != "openai-whisper":
        raise SettingsError(
            f"words.vocabulary: the engine {settings.engine} takes none; set words.engine to "
            '"openai-whisper"'
        )
    text = "\n".join([str(settings.vocabulary_weight), *terms])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Tokenizer(Protocol):
    """A tokenizer of Whisper, as far as terms need it: texts into tokens and back."""

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""

    def decode(self, token_ids: list[int]) -> str:
        """Return the text of tokens."""


@dataclass(eq=False)
class _Node:
    """A place in the tree: what may follow, by token, and whether a term is complete here."""

    children: "dict[int, _Node]" = field(default_factory=dict)
    is_complete: bool = False


_OUTSIDE = _Node()


@dataclass(frozen=True)
class Progress:
    """How far the end of a text has come in a term.

    `run` is what its score has been raised by for this term, `kept` how much of that stays if the
    text leaves it, because a shorter term inside it is complete.
    """

    node: _Node = field(default_factory=lambda: _OUTSIDE)
    run: float = 0.0
    kept: float = 0.0


class Bias:
    """The terms as tokens, and what they add to the log-probability of a text.

    `weight` is what each token of a term adds, `bound` the most that a term adds. `begins` tells
    of each token of Whisper's vocabulary whether it may follow a whole word: one with a space or a
    sign in front.
    """

    def __init__(
        self,
        terms: Iterable[str],
        tokenizer: Tokenizer,
        texts: Sequence[str],
        weight: float,
        bound: float,
    ) -> None:
        self.weight, self.bound = weight, bound
        # A token may end within a letter: that part of it is U+FFFD, and inside a word.
        self.begins = tuple(not text[:1].isalnum() and text[:1] != "\ufffd" for text in texts)
        self.root = _Node()
        for term in terms:
            for written in {term, term[:1].upper() + term[1:]}:
                node = self.root
                for token in tokenizer.encode(" " + written):
                    node = node.children.setdefault(token, _Node())
                node.is_complete = True

    def raised(self, run: float) -> float:
        """Return what a term has added after one more of its tokens."""
        return min(run + self.weight, self.bound)

    def settled(self, at: Progress, begins: bool) -> float:
        """Return what is added in all (0, or less) when a text leaves a term with some token."""
        return (at.run if at.node.is_complete and begins else at.kept) - at.run

    def follow(self, tokens: Iterable[int]) -> tuple[Progress, float]:
        """Return where the end of a text is, and what all of it adds."""
        at, total = Progress(), 0.0
        for token in tokens:
            begins = self.begins[token]
            following = at.node.children.get(token)
            if following is not None:
                run = self.raised(at.run)
                kept = at.run if at.node.is_complete and begins else at.kept
                at, total = Progress(following, run, kept), total + run - at.run
                continue
            total += self.settled(at, begins)
            first = self.root.children.get(token)
            run = self.raised(0.0)
            at, total = (Progress(first, run), total + run) if first else (Progress(), total)
        return at, total
