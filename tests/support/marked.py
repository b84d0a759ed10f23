"""Places full of words that are easily found again, for tests of what must not be found."""

import base64
import os
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from support.factories import call, cue, definitions_of
from warmline import landing
from warmline.analysis import CallAnalysis
from warmline.landing.feedback import EvaluationAnswer, LandedEvaluation, write_evaluation
from warmline.query.reviews import Judgement, Verdict, review_cue
from warmline.warehouse.outcomes import load_outcomes
from warmline.warehouse.publishing import publish

MARKS = ("xylocarp", "quillwort", "zanthoxyl")  # in the text, the customer's id, the reason given


def a_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def marked() -> list[CallAnalysis]:
    says = [("B", 0.0, 2.0, "how can I help"), ("A", 3.0, 6.0, f"I am worried {MARKS[0]}")]
    cues = [cue(1, 3.0, 6.0, f"I am worried {MARKS[0]}")]
    return [
        call("c1", customer_id=MARKS[1], says=says, cues=cues),
        call("c2", customer_id="ben", says=[("B", 0.0, 2.0, "good morning")]),
    ]


def evaluation(analysis: CallAnalysis, note: str) -> LandedEvaluation:
    """A scorecard of two questions for a call, one answered yes and one no, with a note."""
    at = datetime(2026, 11, 20, 9, tzinfo=UTC)
    answers = (
        EvaluationAnswer("Opening", "greeted", "Greeted the customer", "yes", 1.0, False, None),
        EvaluationAnswer("Feelings", "heard", "Heard the feeling", "no", 3.0, True, note),
    )
    return LandedEvaluation(
        noted_at=at,
        evaluated_at=at,
        evaluator="kim",
        given_by="kim",
        given_call_id=analysis.metadata.call_id or "",
        landing_key=landing.key_of(analysis),
        form="conversation",
        form_title="A conversation",
        form_sha256="0" * 64,
        calibration_id=None,
        status="final",
        score=0.0,
        points=1.0,
        points_possible=4.0,
        answers=answers,
    )


def fill(folder: Path) -> None:
    """Two calls, one packed and one not, an outcome, a review and an evaluation, published."""
    first, second = marked()
    definitions = definitions_of([first, second])
    landing.write(first, folder / "w.landing")
    landing.compact(folder / "w.landing")
    landing.write(second, folder / "w.landing")
    publish(folder / "w.landing", folder / "w.duckdb", definitions)
    judgement = Judgement("kim", Verdict.RIGHT, MARKS[2])
    review_cue(folder / "w.duckdb", folder / "w.landing", "c1", 3.0, judgement)
    write_evaluation(evaluation(first, MARKS[2]), folder / "w.landing")
    table = folder / "o.csv"
    table.write_text(f"customer_id,date,nps\n{MARKS[1]},2026-11-20,3\n")
    load_outcomes(table, folder / "w.landing", folder / "w.duckdb", definitions)
    table.unlink()


def holding(folder: Path) -> dict[str, set[str]]:
    """Which files hold which of the marks, in their bytes or in the pages of a Parquet file."""
    found = {}
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes()
        if path.suffix == ".parquet" and content[:4] == b"PAR1":
            with duckdb.connect() as con:
                content += repr(con.read_parquet(str(path)).fetchall()).encode()
        marks = {mark for mark in MARKS if mark.encode() in content}
        if marks:
            found[path.name] = marks
    return found
