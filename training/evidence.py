"""The evidence of agents' turns as the package gathers it, to learn weights from."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from corpora import Pair
from warmline.analysis import Moment
from warmline.language.rule_moments import rule_moments
from warmline.language.rulebook import rulebook
from warmline.language.scoring import empathy_evidence, read_by_models
from warmline.language.windows import LEVELS, MECHANISMS, turn_texts_of
from warmline.models.engines import Engines
from warmline.settings import Settings
from warmline.values import RoleName

Levels = Mapping[str, tuple[float, ...]]
# Pieces by name, and the turn's vector; None for a turn without words, which is not weighed.
Evidence = tuple[Mapping[str, float], NDArray[np.float32]] | None


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
    dialogues: Sequence[Sequence[Turn]], levels: Sequence[Levels] = ()
) -> list[Evidence]:
    """The evidence of each turn of an agent, in order.

    `levels`, one for each dialogue, stand in for what the network of mechanisms says, where it has
    learned from the dialogue itself.
    """
    settings = Settings()
    engines, book = Engines.from_settings(settings), rulebook(settings.language)
    found = []
    for place, dialogue in enumerate(dialogues):
        turn_texts = turn_texts_of([(RoleName(t.speaker), t.text) for t in dialogue])
        by_turn: dict[int, list[Moment]] = {}
        read_by = read_by_models(turn_texts, engines, {})
        heard = {index: read.heard for index, read in read_by.items()}
        for moment in rule_moments(turn_texts, book, heard):
            by_turn.setdefault(moment.turn_index, []).append(moment)
        for turn_text in turn_texts:
            if turn_text.turn.role is not RoleName.AGENT:
                continue
            read = read_by.get(turn_text.turn.index)
            if read is None:
                found.append(None)
                continue
            if levels:
                heard_so = tuple(replace(h, levels=levels[place]) for h in read.heard)
                read = replace(read, heard=heard_so)
            named = empathy_evidence(turn_text, by_turn.get(turn_text.turn.index, []), read)
            found.append((named, read.vector))
    return found
