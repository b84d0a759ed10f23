"""The evidence of turns as the package gathers it, to learn weights from."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from corpora import Pair
from warmline.analysis import Moment
from warmline.engines import Engines
from warmline.language.epitome import LEVELS, MECHANISMS
from warmline.language.likeness import likeness_of
from warmline.language.listening import listen_to
from warmline.language.passages import passages_of_texts
from warmline.language.reading import read_passages
from warmline.language.rulebook import rulebook
from warmline.language.weighing import empathy_evidence, negative_evidence
from warmline.settings import Settings
from warmline.values import RoleName

Levels = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Turn:
    """Who says what."""

    speaker: str
    text: str


@dataclass(frozen=True)
class EpitomeFolds:
    """Levels of each pair by a network that did not learn from its seeker."""

    by_pair: Mapping[tuple[str, str], Levels]

    @classmethod
    def read(cls, path: Path) -> "EpitomeFolds":
        """From `epitome_folds.csv`."""
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return cls(
            {
                (row["seeker_id"], row["response_id"]): {
                    m: tuple(float(row[f"{m}_{k}"]) for k in range(LEVELS)) for m in MECHANISMS
                }
                for row in rows
            }
        )

    def levels(self, pair: Pair) -> Levels:
        """The levels of one pair."""
        return self.by_pair[pair.seeker_id, pair.response_id]


def evidence_of(
    dialogues: Sequence[Sequence[Turn]], speaker: str, levels: Sequence[Levels] = ()
) -> list[dict[str, float]]:
    """The evidence of each turn of this speaker, in order.

    `levels`, one for each dialogue, stand in for what the network of mechanisms says, where it has
    learned from the dialogue itself.
    """
    settings = Settings()
    engines, book = Engines.from_settings(settings), rulebook(settings.language)
    role = RoleName(speaker)
    found = []
    for place, dialogue in enumerate(dialogues):
        passages = passages_of_texts([(RoleName(t.speaker), t.text) for t in dialogue])
        by_turn: dict[int, list[Moment]] = {}
        heard = listen_to(passages, engines)
        likeness = likeness_of(passages, heard, engines)
        for moment in read_passages(passages, book, heard):
            by_turn.setdefault(moment.turn_index, []).append(moment)
        for passage in passages:
            if passage.turn.role is not role:
                continue
            index = passage.turn.index
            windows, shown = heard[index], by_turn.get(index, [])
            if levels:
                windows = tuple(replace(h, levels=levels[place]) for h in windows)
            found.append(
                empathy_evidence(passage, shown, windows)
                if role is RoleName.AGENT
                else negative_evidence(passage, shown, windows, likeness[index])
            )
    return found
