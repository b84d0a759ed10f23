"""How far the rules agree with labels that other people gave, on the shared text data.

The floors are a little under what was measured when they were written: they guard what the rules
do, and say how little that is where recall is low. No rule was made from these very rows.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from warmline.language import score_turns
from warmline.language.rule_moments import rule_moments
from warmline.language.rulebook import rulebook
from warmline.language.windows import turn_texts_of
from warmline.settings import LanguageSettings
from warmline.values import RoleName

TEXT = Path(__file__).parents[2] / "shared" / "data" / "text"
pytestmark = pytest.mark.skipif(not TEXT.is_dir(), reason="shared text data are not here")

RULES_ONLY = LanguageSettings(models=False)
FEELINGS = {
    "fear_anxiety": {"fear", "nervousness"},
    "anger_frustration": {"anger", "annoyance", "disgust", "disapproval"},
    "sadness_disappointment": {"sadness", "disappointment", "grief", "remorse", "embarrassment"},
}


@dataclass(frozen=True)
class Agreement:
    precision: float
    recall: float

    @classmethod
    def of(cls, pairs: Iterable[tuple[bool, bool]]) -> "Agreement":
        """From (said by the rules, said by people)."""
        both = list(pairs)
        hits = sum(ours and theirs for ours, theirs in both)
        return cls(
            hits / max(1, sum(ours for ours, _ in both)),
            hits / max(1, sum(theirs for _, theirs in both)),
        )


def test_cues_against_goemotions() -> None:
    names = (TEXT / "goemotions" / "labels.txt").read_text(encoding="utf-8").split("\n")
    with (TEXT / "goemotions" / "dev.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    labels = [{names[int(i)] for i in row[1].split(",")} for row in rows]
    scored = score_turns(({"speaker": "customer", "text": row[0]} for row in rows), RULES_ONLY)
    found = {
        kind: Agreement.of(
            (getattr(score, kind) >= 0.5, bool(given & FEELINGS[kind]))
            for score, given in zip(scored, labels, strict=True)
        )
        for kind in FEELINGS
    }
    assert found["fear_anxiety"].precision > 0.55
    assert found["anger_frustration"].precision > 0.5
    assert found["sadness_disappointment"].precision > 0.6
    negative = set().union(*FEELINGS.values())
    together = Agreement.of(
        (max(getattr(score, kind) for kind in FEELINGS) >= 0.5, bool(given & negative))
        for score, given in zip(scored, labels, strict=True)
    )
    assert together.precision > 0.65
    assert together.recall > 0.15


def test_affective_statements_against_epitome() -> None:
    with (TEXT / "epitome" / "emotional-reactions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:1200]
    turns = []
    for row in rows:
        turns.append({"speaker": "customer", "text": row["seeker_post"]})
        turns.append({"speaker": "agent", "text": row["response_post"]})
    answers = score_turns(turns, RULES_ONLY)[1::2]
    found = Agreement.of(
        ((answer.affective or 0.0) >= 0.5, int(row["level"]) >= 1)
        for answer, row in zip(answers, rows, strict=True)
    )
    assert found.precision > 0.7
    assert found.recall > 0.15


def test_questions_and_reflections_against_counselling_sessions() -> None:
    with (TEXT / "annomi" / "annomi.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    book = rulebook(LanguageSettings())
    asked: list[tuple[bool, bool]] = []
    reflected: list[tuple[bool, bool]] = []
    sessions = [list(g) for _, g in groupby(rows, key=lambda r: r["transcript_id"])]
    for session in sessions[:40]:
        utterances = [list(g) for _, g in groupby(session, key=lambda r: r["utterance_id"])]
        said = [(_role(u[0]["interlocutor"]), u[0]["utterance_text"]) for u in utterances]
        moments = rule_moments(turn_texts_of(said), book)
        questions = {m.turn_index for m in moments if m.kind.startswith("question_")}
        reflections = {m.turn_index for m in moments if m.label == "reflection"}
        for index, labels in enumerate(utterances):
            if said[index][0] is RoleName.AGENT:
                asked.append((index in questions, _most(labels, "question_exists")))
                reflected.append((index in reflections, _most(labels, "reflection_exists")))
    question, reflection = Agreement.of(asked), Agreement.of(reflected)
    assert question.precision > 0.75 and question.recall > 0.85
    assert reflection.precision > 0.6 and reflection.recall > 0.4


def _role(interlocutor: str) -> RoleName:
    return RoleName.AGENT if interlocutor == "therapist" else RoleName.CUSTOMER


def _most(labels: list[dict[str, str]], key: str) -> bool:
    return 2 * sum(label[key] == "True" for label in labels) > len(labels)
