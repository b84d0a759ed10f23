"""Sayings written by hand with what is private marked: `written.toml`, or a JSONL file."""

import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from warmline.errors import DataError
from warmline.redaction import kinds, redact
from warmline.settings import RedactionSettings
from warmline.values import Transcript, Word

CONTROL = "control"
_WORD_S, _TURN_GAP_S = 0.35, 0.4
_ALL = RedactionSettings(kinds=tuple(kinds()))
_FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Saying:
    """A few turns as (party, text); `private` has, for each word, whether it must be hidden."""

    id: str
    kind: str
    turns: tuple[tuple[str, str], ...]
    private: tuple[bool, ...]
    language: str = "en"

    @property
    def transcript(self) -> Transcript:
        """The turns as a recogniser would give them, each word 0.35 s long."""
        words: list[Word] = []
        at_s = 0.0
        for party, text in self.turns:
            for word in text.split():
                words.append(Word(at_s, at_s + _WORD_S, party, word, 0.9))
                at_s = round(at_s + _WORD_S, 3)
            at_s = round(at_s + _TURN_GAP_S, 3)
        return Transcript(self.language, 1.0, tuple(words), (), {})


@dataclass(frozen=True)
class Outcome:
    """What redaction made of a saying: the words that it hid, and those it left though private."""

    saying: Saying
    hidden: tuple[str, ...]
    left: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Return whether nothing private is left, or, of a control, whether nothing is hidden."""
        return not self.hidden if self.saying.kind == CONTROL else not self.left


@dataclass(frozen=True)
class Count:
    """How many sayings of a kind came out right."""

    kind: str
    right: int
    all: int


def try_saying(saying: Saying, settings: RedactionSettings = _ALL) -> Outcome:
    """Redact one saying and return which of its words were hidden and which wrongly left."""
    words = saying.transcript.words
    _, rows = redact(saying.transcript, settings)
    is_hidden = [
        any(
            row.party == word.party and row.start_s <= word.start_s and word.end_s <= row.end_s
            for row in rows
        )
        for word in words
    ]
    marked = list(zip(words, saying.private, is_hidden, strict=True))
    return Outcome(
        saying,
        tuple(word.text for word, _, hidden in marked if hidden),
        tuple(word.text for word, private, hidden in marked if private and not hidden),
    )


def counts(outcomes: Sequence[Outcome]) -> list[Count]:
    """Return how many came out right of each kind, controls last."""
    names = list(dict.fromkeys(o.saying.kind for o in outcomes))
    return [
        Count(name, sum(o.is_right for o in of), len(of))
        for name in sorted(names, key=lambda name: name == CONTROL)
        for of in [[o for o in outcomes if o.saying.kind == name]]
    ]


def written_sayings() -> Iterator[Saying]:
    """Yield the sayings of `written.toml`."""
    table = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    for kind, text in (table["forms"] | table["controls"]).items():
        for number, line in enumerate(text.strip().splitlines(), start=1):
            yield _marked(f"{kind}-{number}", kind, line)


def sayings_in(path: Path) -> Iterator[Saying]:
    """Yield the sayings of a file with a JSON object a line.

    Each has `id`, `kind`, `turns` ([party, text] each) and `private`, the exact parts of the turns,
    in order, that must be hidden; `language` is English where it is not said. Raises `DataError`
    with the line of what is not like that.
    """
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            turns = tuple((str(party), str(text)) for party, text in entry["turns"])
            language = str(entry.get("language") or "en")
            yield _saying(str(entry["id"]), str(entry["kind"]), turns, entry["private"], language)
        except (ValueError, KeyError, TypeError) as e:
            raise DataError(f"{path}, line {number}: not a saying ({e})") from e


def _marked(name: str, kind: str, line: str) -> Saying:
    """A line with braces around what is private, `/` between the turns, the agent first."""
    parts = re.split(r"(?:^|\s+)/\s+", line)
    private = re.findall(r"\{(.*?)\}", line)
    plain = [re.sub(r"[{}]", "", part).strip() for part in parts]
    turns = tuple(
        ("agent" if place % 2 == 0 else "customer", text)
        for place, text in enumerate(plain)
        if text
    )
    return _saying(name, kind, turns, private)


def _saying(
    name: str,
    kind: str,
    turns: tuple[tuple[str, str], ...],
    private: Sequence[str],
    language: str = "en",
) -> Saying:
    texts = [text for _, text in turns]
    marks = [[False] * len(text) for text in texts]
    at = (0, 0)
    for part in private:
        turn, first = _find(texts, part, at) or _find(texts, part, (0, 0)) or (-1, -1)
        if turn < 0:
            raise ValueError(f"'{part}' is in no turn of '{name}'")
        marks[turn][first : first + len(part)] = [True] * len(part)
        at = (turn, first + len(part))
    flags = [
        any(marks[turn][found.start() : found.end()])
        for turn, text in enumerate(texts)
        for found in re.finditer(r"\S+", text)
    ]
    return Saying(name, kind, turns, tuple(flags), language)


def _find(texts: Sequence[str], part: str, at: tuple[int, int]) -> tuple[int, int] | None:
    """Where a part stands, not before a place: the turn, and the character in it."""
    for turn in range(at[0], len(texts)):
        alone = re.compile(rf"(?<!\w){re.escape(part)}(?!\w)")
        start = at[1] if turn == at[0] else 0
        if found := alone.search(texts[turn], start):
            return turn, found.start()
    for turn in range(at[0], len(texts)):
        first = texts[turn].find(part, at[1] if turn == at[0] else 0)
        if first >= 0:
            return turn, first
    return None
