"""The labelled data: text that people outside this project read and judged.

GoEmotions and EPITOME are read by `training/corpora.py`, which the training uses, too. AnnoMI is
read here: nothing may be learned from it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from warmline.files import folder, load_outside

_corpora = load_outside("warmline_corpora", folder("training") / "corpora.py")
EPITOME_FILES: dict[str, str] = _corpora.EPITOME_FILES
Comment = _corpora.Comment
Pair = _corpora.Pair


@dataclass(frozen=True)
class Utterance:
    """One utterance of a counselling session (AnnoMI); labels are the majority's.

    `behaviour` is the therapist's main one: reflection, question, therapist_input, other; None for
    a client. `asks_openly` is None where most heard no question, or as many an open as a closed
    one. `votes` is how many annotators labelled it.
    """

    is_therapist: bool
    text: str
    behaviour: str | None
    reflects: bool
    asks: bool
    informs: bool
    asks_openly: bool | None
    votes: int


@dataclass(frozen=True)
class Session:
    """A counselling session, shown as good practice or as bad."""

    session_id: str
    is_good: bool
    utterances: tuple[Utterance, ...]


def comments(data: Path, part: str) -> list[Comment]:
    """GoEmotions' `dev` or `train` comments."""
    return _corpora.goemotions(data / "text" / "goemotions", part)


def exchanges(data: Path) -> list[Pair]:
    """EPITOME's pairs of a post in need and a response, with their levels."""
    return _corpora.epitome(data / "text" / "epitome")


def sessions(data: Path) -> list[Session]:
    """AnnoMI's sessions, each utterance with what most of its annotators said."""
    rows = _corpora.table_rows(data / "text" / "annomi" / "annomi.csv")
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
        asks_openly=_asks_openly(labels),
        votes=len(labels),
    )


def _most(labels: Sequence[dict[str, str]], column: str) -> bool:
    return 2 * sum(label[column] == "True" for label in labels) > len(labels)


def _asks_openly(labels: Sequence[dict[str, str]]) -> bool | None:
    kinds = Counter(label["question_subtype"] for label in labels)
    if not _most(labels, "question_exists") or kinds["open"] == kinds["closed"]:
        return None
    return kinds["open"] > kinds["closed"]
