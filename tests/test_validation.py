"""The validation's own arithmetic, on data small enough to check by hand."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score
from typer.testing import CliRunner

from warmline.analysis import Backchannel, Floor, Overlap
from warmline.cli import app
from warmline.errors import DataError
from warmline.files import folder, load_outside
from warmline.settings import Settings
from warmline.simulate import Truth, true_speech
from warmline.simulate.truth import TrueOverlap, TrueSpeaker, TrueWord
from warmline.statistics import Estimate
from warmline.values import Span, SpeakerSource, Speech, SpeechSegment

pytestmark = pytest.mark.skipif(
    not (Path(__file__).parents[1] / "validation").is_dir(),
    reason="the validation is part of the checkout",
)


@pytest.fixture(scope="module")
def validation() -> ModuleType:
    return load_outside("warmline_validation", folder("validation") / "__init__.py")


def part(name: str) -> ModuleType:
    return import_module(f"warmline_validation.{name}")


labelled = st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=30)


@given(labelled)
@settings(deadline=None)
def test_auc_and_f1_are_those_of_scikit_learn(rows: list[tuple[bool, int]]):
    load_outside("warmline_validation", folder("validation") / "__init__.py")
    truth, score = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    found = part("scores").auc(truth, score)
    if truth.all() or not truth.any():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(roc_auc_score(truth, score))
    classes = truth.astype(np.int64), (score > 2).astype(np.int64)
    ours = part("scores").macro_f1(*classes, 2)
    assert ours == pytest.approx(f1_score(*classes, average="macro"))


def test_only_answers_of_like_length_are_compared(validation: ModuleType):
    area = part("support_talk").auc_of_like_length
    truth = np.array([True, True, False, False])
    score = np.array([0.9, 0.1, 0.5, 0.5])
    # Of like length are the first and the third, and the second and the fourth.
    assert area(truth, score, np.array([10.0, 40.0, 12.0, 50.0])) == 0.5
    assert area(truth, score, np.array([10.0, 90.0, 12.0, 50.0])) == 1.0
    assert np.isnan(area(truth, score, np.array([10.0, 90.0, 30.0, 300.0])))


def test_turns_of_a_call_are_right_wrong_or_missed(validation: ModuleType):
    call = part("calls").CallRead(
        "a",
        {0: frozenset({"anger_frustration", "fear_anxiety"}), 2: frozenset(), 4: frozenset({"x"})},
        frozenset({0, 2}),
        [(0, "fear_anxiety"), (2, "anger_frustration")],
    )
    # Turns, heard, rows; turns right, wrong, missed; planted ones with a row of their kind.
    assert part("calls")._counts(call) == (3, 2, 3, 1, 1, 1, 1, 2)


def test_what_a_party_says_without_the_other_is_one_turn(validation: ModuleType):
    told = part("calls")._turns([("agent", "a"), ("agent", "b"), ("customer", "c")])
    assert told == [{"speaker": "agent", "text": "a b"}, {"speaker": "customer", "text": "c"}]


def test_word_pairs_are_of_comparable_words(validation: ModuleType):
    pairs = part("support_talk").word_pairs
    assert pairs("I'm sorry.") == [("i", "am"), ("am", "sorry")]
    assert pairs("Sorry.") == []


def test_goemotions_and_annomi_are_read_as_they_are(validation: ModuleType, tmp_path: Path):
    text = tmp_path / "text"
    (text / "goemotions").mkdir(parents=True)
    (text / "annomi").mkdir()
    (text / "goemotions" / "labels.txt").write_text("anger\njoy\n")
    (text / "goemotions" / "dev.tsv").write_text('so "angry"\t0,1\tid1\nfine\t1\tid2\n')
    first, second = part("labelled").comments(tmp_path, "dev")
    assert (first.text, first.emotions) == ('so "angry"', {"anger", "joy"})
    assert second.emotions == {"joy"}
    (text / "goemotions" / "dev.tsv").write_text("x\t7\tid\n")
    with pytest.raises(DataError, match="line 1, column 2"):
        part("labelled").comments(tmp_path, "dev")
    with pytest.raises(DataError, match=r"annomi\.csv: the labelled data are not there"):
        part("labelled").sessions(tmp_path)
    head = (
        "mi_quality,transcript_id,utterance_id,interlocutor,utterance_text,therapist_input_exists,"
        "reflection_exists,question_exists,question_subtype,main_therapist_behaviour\n"
    )
    votes = ["True,False,,reflection", "True,False,,reflection", "False,True,open,question"]
    rows = [f"high,1,0,therapist,you are sad,False,{vote}\n" for vote in votes]
    (text / "annomi" / "annomi.csv").write_text(head + "".join(rows) + "high,1,1,client,yes,,,,,\n")
    (session,) = part("labelled").sessions(tmp_path)
    therapist, client = session.utterances
    assert (therapist.behaviour, therapist.reflects, therapist.asks, therapist.votes) == (
        *("reflection", True, False, 3),
    )
    assert client.behaviour is None and session.is_good
    assert therapist.asks_openly is None  # most heard no question
    asked = ["False,True,open,question", "False,True,open,question", "False,True,closed,question"]
    rows = [f"high,1,0,therapist,how was it,False,{vote}\n" for vote in asked]
    (text / "annomi" / "annomi.csv").write_text(head + "".join(rows))
    assert part("labelled").sessions(tmp_path)[0].utterances[0].asks_openly is True


def heard(**events: tuple) -> Floor:
    return Floor(events.get("overlaps", ()), (), (), events.get("backchannels", ()), ())


def test_planted_events_are_matched_once_each_by_person_kind_and_time(validation: ModuleType):
    speakers = (
        TrueSpeaker("C", "customer", 0, "A", "awb"),
        TrueSpeaker("D", "agent", 1, "B", "slt"),
    )
    planted = (
        TrueOverlap(5.0, 6.5, "interruption", "C", "D", 0, 1, True, False),
        TrueOverlap(8.0, 8.4, "backchannel", "C", "D", 0, 1, None, None),
    )
    words = (TrueWord(0.0, 9.0, 0, "C", "a"), TrueWord(5.0, 6.5, 1, "D", "b"))
    truth = Truth("t", "t", "stereo", 12.0, speakers, (), words, planted, (), (), ())
    floor = heard(
        overlaps=(
            Overlap(5.3, 6.5, "A", "B", "interruption", True, None),
            Overlap(5.4, 6.5, "A", "B", "interruption", True, None),
            Overlap(8.0, 8.4, "A", "B", "terminal_overlap", None, None),
        ),
        backchannels=(Backchannel(8.0, 8.4, "A", None),),
    )
    found = part("floor").match_events(truth, true_speech(truth), floor)
    counts = {kind: (f.hits, f.planted, f.found) for kind, f in found.items()}
    assert counts == {
        "interruption": (1, 1, 2),
        "backchannel": (0, 1, 0),
        "backchannel that words confirm": (0, 1, 1),  # it was the wrong person's
        "terminal_overlap": (0, 0, 1),
    }


def test_parties_are_matched_by_when_they_speak(validation: ModuleType):
    wanted = {"A": [Span(0, 5)], "B": [Span(5, 9)]}
    found = {"A": [Span(5, 9)], "B": [Span(0, 4)], "C": [Span(4, 4.5)]}
    assert part("parties").matched(found, wanted) == {"A": "B", "B": "A"}
    assert part("parties").matched({"A": [Span(6, 8)]}, wanted) == {"A": "B"}


def test_a_measure_places_sessions_by_its_direction_and_unknown_ones_in_the_middle(
    validation: ModuleType,
):
    counselling = part("counselling_measures")
    values = {"a": 1.0, "b": 2.0, "c": None, "d": 3.0}
    for direction, expected in ((1, [0, 0.5, 0.5, 1]), (-1, [1, 0.5, 0.5, 0])):
        measure = counselling.Measure("m", direction, "s", values.get)
        assert counselling.ranks(list(values), measure).tolist() == expected


def test_a_part_that_is_run_again_replaces_its_section_and_no_other(
    validation: ModuleType, tmp_path: Path
):
    report = part("report")

    def section(title: str, value: float) -> object:
        head = report.Headline("m", "d", Estimate(value, 0.1, 0.9, 7), 0.6)
        return report.Section(title, ("text", report.Table(("x",), (("1",),))), (head,))

    order = ["one", "two"]
    report.write(
        {"two": section("Two", 0.5), "one": section("One", 0.7)}, order, "p", "m", tmp_path
    )
    path = report.write({"two": section("Two", 0.8)}, order, "p", "again", tmp_path)
    text = path.read_text()
    assert text.index("## One") < text.index("## Two")
    assert "0.800 [0.100, 0.900] | met by the estimate, not by its interval (≥ 0.60)" in text
    assert "0.500" not in text
    sure = report.Headline("m", "d", Estimate(0.7, 0.6, 0.9, 7), 0.6)
    assert sure.verdict == "met (≥ 0.60)"
    assert text.count("*m*") == text.count("*again*") == 1


def test_generated_calls_have_what_is_planted_and_come_again(validation: ModuleType):
    from support.scenes import has_flite

    if not has_flite():
        pytest.skip("the speech synthesizer is missing: apt-get install flite")
    (call,) = part("scenes").planted_calls(1, seed=1)
    (again,) = part("scenes").planted_calls(1, seed=1)
    assert call.truth == again.truth
    assert len(call.truth.overlaps) >= 3
    context = validation.Context(Path(), Path(), Settings(), 1, 50, lambda _: None)
    told = part("floor")._told(call, context)
    found = part("floor").match_events(told.truth, told.speech, told.floor)
    assert all(f.hits == f.planted == f.found for f in found.values())


def test_the_command_says_what_is_missing(tmp_path: Path):
    run = CliRunner().invoke
    missing = run(app, ["validate", "feelings", "--data", str(tmp_path / "no")])
    assert missing.exit_code == 1 and "the labelled data are not there" in missing.output
    wrong = run(app, ["validate", "weather"])
    assert wrong.exit_code == 2 and "no part is called weather" in wrong.output
    empty = run(app, ["validate", "feelings", "--data", str(tmp_path), "--to", str(tmp_path)])
    assert empty.exit_code == 1 and "labels.txt" in empty.output


def test_only_what_a_person_says_alone_is_taken_and_speech_is_given_to_its_own_party(
    validation: ModuleType,
):
    alone = part("voices")._without
    assert alone((0.0, 10.0), [(2.0, 3.0), (9.5, 12.0)]) == [(0.0, 2.0), (3.0, 9.5)]
    assert alone((0.0, 1.0), [(0.5, 2.0)]) == []
    said = {"A": [(0, 4), (6, 8)], "B": [(4, 6)]}
    segments = tuple(SpeechSegment(a, b, party) for party, own in said.items() for a, b in own)
    speech = Speech(SpeakerSource.DIARIZATION, ("A", "B"), segments, segments, (), 1.0, "")
    spoken = {"one": [Span(0, 4)], "other": [Span(4, 8)]}
    assert part("people")._well_given(speech, spoken) == pytest.approx(6 / 8)
