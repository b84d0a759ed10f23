"""The labelled data: text that people outside this project read and judged."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from warmline.errors import DataError

# GoEmotions' names -> the kinds of cues. Confusion is the only label near to powerlessness.
FEELINGS = {
    "fear_anxiety": frozenset({"fear", "nervousness"}),
    "anger_frustration": frozenset({"anger", "annoyance", "disgust", "disapproval"}),
    "sadness_disappointment": frozenset(
        {"sadness", "disappointment", "grief", "remorse", "embarrassment"}
    ),
    "confusion_powerlessness": frozenset({"confusion"}),
}
# Confusion is a cue, but Reddit's is mostly curiosity: it does not count as negative emotion.
NEGATIVE = frozenset().union(
    *(labels for kind, labels in FEELINGS.items() if kind != "confusion_powerlessness")
)
EPITOME_FILES = {
    "emotional_reaction": "emotional-reactions.csv",
    "interpretation": "interpretations.csv",
    "exploration": "explorations.csv",
}


@dataclass(frozen=True)
class Comment:
    """A Reddit comment with the emotions that its readers agreed on (GoEmotions)."""

    text: str
    emotions: frozenset[str]


@dataclass(frozen=True)
class Exchange:
    """A post in need and a reply, by id, and its level of one mechanism, 0 to 2 (EPITOME)."""

    seeker_id: str
    reply_id: str
    level: int


@dataclass(frozen=True)
class Utterance:
    """One utterance of a counselling session (AnnoMI); labels are the majority's.

    `behaviour` is the therapist's main one: reflection, question, therapist_input, other; None for
    a client. `votes` is how many annotators labelled it.
    """

    is_therapist: bool
    text: str
    behaviour: str | None
    reflects: bool
    asks: bool
    informs: bool
    votes: int


@dataclass(frozen=True)
class Session:
    """A counselling session, shown as good practice or as bad."""

    session_id: str
    is_good: bool
    utterances: tuple[Utterance, ...]


def comments(data: Path, part: str) -> list[Comment]:
    """GoEmotions' `dev` or `train` comments."""
    names = _lines(data / "text" / "goemotions" / "labels.txt")
    path = data / "text" / "goemotions" / f"{part}.tsv"
    found = []
    for number, row in enumerate(csv.reader(_lines(path), delimiter="\t", quoting=csv.QUOTE_NONE)):
        try:
            labels = frozenset(names[int(label)] for label in row[1].split(","))
        except (ValueError, IndexError) as e:
            raise DataError(f"{path}, line {number + 1}, column 2: not numbers of labels") from e
        found.append(Comment(row[0], labels))
    return found


def exchanges(data: Path, mechanism: str) -> list[Exchange]:
    """EPITOME's exchanges with their level of one of the mechanisms in `EPITOME_FILES`."""
    path = data / "text" / "epitome" / EPITOME_FILES[mechanism]
    return [Exchange(row["sp_id"], row["rp_id"], int(row["level"])) for row in _rows(path)]


def sessions(data: Path) -> list[Session]:
    """AnnoMI's sessions, each utterance with what most of its annotators said."""
    rows = _rows(data / "text" / "annomi" / "annomi.csv")
    found = []
    for session_id, group in groupby(rows, key=lambda row: row["transcript_id"]):
        said = list(group)
        utterances = [list(g) for _, g in groupby(said, key=lambda row: row["utterance_id"])]
        good = said[0]["mi_quality"] == "high"
        found.append(Session(session_id, good, tuple(_utterance(u) for u in utterances)))
    return found


def _utterance(labels: Sequence[dict[str, str]]) -> Utterance:
    first = labels[0]
    is_therapist = first["interlocutor"] == "therapist"
    main = Counter(label["main_therapist_behaviour"] for label in labels).most_common()
    # Of labels with equally many votes, the first in the alphabet: it must not depend on order.
    behaviour = min(name for name, votes in main if votes == main[0][1])
    return Utterance(
        is_therapist=is_therapist,
        text=first["utterance_text"],
        behaviour=behaviour if is_therapist else None,
        reflects=_most(labels, "reflection_exists"),
        asks=_most(labels, "question_exists"),
        informs=_most(labels, "therapist_input_exists"),
        votes=len(labels),
    )


def _most(labels: Sequence[dict[str, str]], column: str) -> bool:
    return 2 * sum(label[column] == "True" for label in labels) > len(labels)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with _existing(path).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _lines(path: Path) -> list[str]:
    with _existing(path).open(encoding="utf-8", newline="") as file:
        return [line.rstrip("\n") for line in file]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"{path}: the labelled data are not there; name their folder: --data DIR")
    return path
