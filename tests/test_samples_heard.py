"""The sample calls through the whole house: what the scenes planted is in the tables.

Slow: two minutes of listening. `pytest -m slow tests/test_samples_heard.py`.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import pytest
from typer.testing import CliRunner

from warmline.analysis import CallAnalysis
from warmline.cli import app
from warmline.files import folder
from warmline.query.export import choose
from warmline.simulate import Truth, load_truth
from warmline.values import Span

pytestmark = [pytest.mark.slow, pytest.mark.models]

TRUTHS = sorted((folder("audio") / "samples" / "truth").glob("*.json"))
# Two voices on one channel for less than this are heard as one: the segmentation network has a
# frame every 17 ms, but no turn's end in it.
SHORTEST_MIXED_S = 0.25

S = TypeVar("S", bound=Span)
Heard = list[tuple[Truth, CallAnalysis]]


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Heard:
    place = tmp_path_factory.mktemp("samples")
    done = CliRunner().invoke(app, ["demo", "--to", str(place)])
    assert done.exit_code == 0, done.output
    truths = {truth.call_id: truth for truth in map(load_truth, TRUTHS)}
    chosen = choose(place / "landing", place / "warehouse.duckdb", sorted(truths))
    analyses = [analysis for analysis, _ in chosen.analyses()]
    assert len(analyses) == len(truths) == 10
    return [(truths[a.metadata.call_id], a) for a in analyses]


def beside(event: Span, found: Iterable[S], within_s: float) -> list[S]:
    first_s, last_s = event.start_s - within_s, event.end_s + within_s
    return [f for f in found if f.start_s < last_s and f.end_s > first_s]


def test_every_planted_cue_is_in_the_ledger_by_its_kind(heard: Heard) -> None:
    missed = [
        (truth.call_id, cue.text)
        for truth, analysis in heard
        for cue in truth.cues
        if analysis.empathy is None
        or cue.kind not in {o.kind for o in beside(cue, analysis.empathy.opportunities, 1.0)}
    ]
    assert sum(len(truth.cues) for truth, _ in heard) == 23
    assert missed == []


def test_feelings_that_were_ignored_or_dismissed_do_not_count_as_answered(heard: Heard) -> None:
    unanswered = {"ignored", "dismissed", "problem_solved_only"}
    for truth, analysis in heard:
        for cue in truth.cues:
            found = {o.answer for o in beside(cue, analysis.empathy.opportunities, 1.0)}
            if cue.answer in unanswered:
                assert found & unanswered, (truth.call_id, cue.text, found)
            elif cue.answer is not None:
                assert found - unanswered, (truth.call_id, cue.text, found)


def test_every_planted_entry_and_silence_is_in_the_floor_tables(heard: Heard) -> None:
    missed = []
    for truth, analysis in heard:
        shortest_s = 0.0 if truth.layout == "stereo" else SHORTEST_MIXED_S
        for entry in truth.overlaps:
            if entry.duration_s >= shortest_s:
                found = {o.kind for o in beside(entry, analysis.floor.overlaps, 0.3)}
                missed += [(truth.call_id, entry)] if entry.kind not in found else []
        for silence in truth.silences:
            found = {s.kind for s in beside(silence, analysis.floor.silences, 0.0)}
            missed += [(truth.call_id, silence)] if silence.kind not in found else []
    assert missed == []


def test_no_long_turn_is_left_without_words(heard: Heard) -> None:
    missed = []
    for truth, analysis in heard:
        for turn in truth.turns:
            wanted, party = len(turn.text.split()), truth.party_of(turn.speaker)
            words = beside(turn, analysis.transcript.words, 0.0)
            texts = [w.text for w in words if w.party == party]
            # Figures are one "word" however many were said, and so is what is hidden.
            spelt = any(set(text) & set("[0123456789") for text in texts)
            if wanted >= 6 and len(texts) < (1 if spelt else wanted / 2):
                missed.append((truth.call_id, turn.start_s, texts, wanted))
    assert missed == []


def test_the_call_in_the_readme_is_as_it_is_heard(heard: Heard) -> None:
    readme = Path(__file__).parents[1] / "README.md"
    if not readme.exists():
        pytest.skip("documents are in the checkout")
    shown = readme.read_text().split("```text\n")[1].split("```")[0]
    lines = re.findall(r"^\d:\d\d  (?:agent|customer)  +([A-Z].*)$", shown, re.MULTILINE)
    (analysis,) = (a for truth, a in heard if truth.call_id == "feedback-call")
    words = " ".join(
        word.text for word in sorted(analysis.transcript.words, key=lambda w: w.start_s)
    )
    assert len(lines) >= 3
    assert [line for line in lines if line not in words] == []
