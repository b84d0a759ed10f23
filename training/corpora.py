"""The public labelled texts that the heads learn from; they are read where they lie, never copied.

GoEmotions (Demszky et al. 2020, arXiv:2005.00547): Reddit comments with 27 emotions and neutral.
EPITOME (Sharma et al. 2020, arXiv:2009.08441): pairs of a post that seeks support and a response,
with levels 0 to 2 of three mechanisms of empathy and the words that show them.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from warmline.language.emotions import EMOTIONS
from warmline.language.epitome import MECHANISMS

_FILES = {
    "emotional_reaction": "emotional-reactions.csv",
    "interpretation": "interpretations.csv",
    "exploration": "explorations.csv",
}


@dataclass(frozen=True)
class Comment:
    """A text and the emotions people found in it."""

    text: str
    emotions: frozenset[str]


@dataclass(frozen=True)
class Pair:
    """A post, a response, and for each mechanism the level and the words of the response."""

    seeker_id: str
    response_id: str
    seeker: str
    response: str
    levels: tuple[int, ...]
    rationales: tuple[tuple[str, ...], ...]


def goemotions(folder: Path, part: str) -> list[Comment]:
    """The comments of `train` or `dev`, in the order of the file."""
    names = (folder / "labels.txt").read_text(encoding="utf-8").split()
    if tuple(names) != EMOTIONS:
        raise ValueError(f"{folder / 'labels.txt'}: other labels than {', '.join(EMOTIONS)}")
    with (folder / f"{part}.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Comment(row[0], frozenset(names[int(i)] for i in row[1].split(","))) for row in rows]


def epitome(folder: Path) -> list[Pair]:
    """All pairs, in the order of the files, which is the same in all three."""
    tables = []
    for mechanism in MECHANISMS:
        with (folder / _FILES[mechanism]).open(encoding="utf-8", newline="") as file:
            tables.append(list(csv.DictReader(file)))
    return [_pair(rows) for rows in zip(*tables, strict=True)]


def _pair(rows: Sequence[dict[str, str]]) -> Pair:
    if len({(row["sp_id"], row["rp_id"]) for row in rows}) != 1:
        raise ValueError(f"the files of EPITOME differ in order at {rows[0]['sp_id']}")
    return Pair(
        rows[0]["sp_id"],
        rows[0]["rp_id"],
        rows[0]["seeker_post"],
        rows[0]["response_post"],
        tuple(int(row["level"]) for row in rows),
        tuple(tuple(p for p in row["rationales"].split("|") if p.strip()) for row in rows),
    )
