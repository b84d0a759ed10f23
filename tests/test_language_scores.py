"""The one stable function that scores turns of text."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmline.errors import ModelError
from warmline.language import SpokenTurn, TurnLanguage, score_turns
from warmline.models import ModelStore
from warmline.models.engines import Engines
from warmline.settings import LanguageSettings

RULES_ONLY = LanguageSettings(models=False)
pytestmark = pytest.mark.models


@dataclass(frozen=True)
class Line:
    speaker: str
    text: str


def agent(text: str) -> TurnLanguage:
    return score_turns([Line("agent", text)])[0]


def customer(text: str) -> TurnLanguage:
    return score_turns([Line("customer", text)])[0]


def test_turns_may_be_objects_or_mappings() -> None:
    lines: list[SpokenTurn] = [Line("customer", "I'm so worried."), Line("agent", "Don't worry.")]
    told = [{"speaker": t.speaker, "text": t.text} for t in lines]
    assert score_turns(lines) == score_turns(told)
    assert score_turns(()) == []


def test_each_speaker_has_its_own_scores_and_none_of_the_others() -> None:
    ours, theirs = agent("I'm so sorry, that must be awful."), customer("I'm so upset.")
    assert ours.empathy is not None and ours.negative_emotion is None
    assert ours.fear_anxiety is None and theirs.affective is None
    assert theirs.negative_emotion is not None and theirs.empathy is None
    assert ours.rules and theirs.rules
    (third,) = score_turns([Line("ivr", "I'm so sorry.")])
    assert third.empathy is None and third.negative_emotion is None and third.rules == ()


@pytest.mark.parametrize("speaker", ["Agent", " AGENT "])
def test_speakers_are_known_in_any_case(speaker: str) -> None:
    assert score_turns([Line(speaker, "that must be so stressful")])[0].empathy


WARMEST_FIRST = [
    "I'm so sorry, I can hear how worried you are, that must be really frightening.",
    "I understand.",
    "I'd be happy to help.",
    "The branch closes at five.",
]


def test_empathy_rises_from_facts_and_formulas_to_feelings_named() -> None:
    scores = [agent(text).empathy or 0.0 for text in WARMEST_FIRST]
    assert scores[0] > 0.9
    assert scores[0] > scores[1] > max(scores[2:])
    # Neither a formula nor a fact is empathy.
    assert max(scores[2:]) < 0.15


def test_a_dismissal_takes_empathy_away() -> None:
    kind = agent("I understand your frustration.")
    curt = agent("I understand your frustration, but as I said, that's our policy.")
    assert (curt.empathy or 0) < (kind.empathy or 0) / 1.5
    assert (curt.dismissive or 0) > 0.5


@pytest.mark.parametrize(
    ("text", "feeling"),
    [
        ("I'm terrified of losing my savings", "fear_anxiety"),
        ("this is outrageous", "anger_frustration"),
        ("I'm really disappointed", "sadness_disappointment"),
        ("I'm completely lost, nothing makes sense", "confusion_powerlessness"),
    ],
)
def test_a_feeling_is_named(text: str, feeling: str) -> None:
    scored = customer(text)
    assert getattr(scored, feeling) > 0.5
    assert (scored.negative_emotion or 0) > 0.5


def test_half_a_character_is_read_over() -> None:
    broken, whole = (customer(f"I'm so upset {end}") for end in ("\ud83d", "\ufffd"))
    assert broken == whole and broken.negative_emotion


def test_thanks_are_not_negative() -> None:
    thanks = "Thank you so much, that's perfect."
    assert (customer(thanks).negative_emotion or 0.0) < 0.05
    (by_rules,) = score_turns([Line("customer", thanks)], RULES_ONLY)
    assert by_rules.negative_emotion == 0.0


def test_models_rank_what_no_rule_knows() -> None:
    sour, plain = "a miserable afternoon this turned into", "It is a table for two."
    by_rules = [score_turns([Line("customer", t)], RULES_ONLY)[0] for t in (sour, plain)]
    assert [s.rules for s in by_rules] == [(), ()]
    assert (customer(sour).negative_emotion or 0.0) > 0.5
    assert (customer(plain).negative_emotion or 0.0) < 0.25


def test_an_empty_store_is_told_and_not_passed_over(tmp_path: Path) -> None:
    nothing = Engines(ModelStore(tmp_path))
    with pytest.raises(ModelError, match="warmline models pull"):
        score_turns([Line("customer", "hello")], engines=nothing)
    assert score_turns([Line("customer", "hello")], RULES_ONLY, nothing)[0].negative_emotion == 0.0


@pytest.mark.parametrize(
    "heard",
    [
        "im so frustrated nobody called me back",
        "I'm, um, so frustrated. Nobody, nobody called me back!",
        "I'M SO FRUSTRATED, NOBODY CALLED ME BACK",
    ],
)
def test_marks_case_and_stumbling_change_nothing(heard: str) -> None:
    written = customer("I'm so frustrated, nobody called me back.").negative_emotion
    assert customer(heard).negative_emotion == pytest.approx(written, abs=0.02)


def test_a_long_turn_is_heard_where_it_says_it() -> None:
    filler = "then i went to the shop and looked at the phones and they had several colors and "
    told = customer(filler * 6 + "honestly i felt so sad and alone in there " + filler * 6)
    assert (told.negative_emotion or 0.0) > 0.5


def test_earlier_turns_are_context() -> None:
    said_back = Line("agent", "Your boiler stopped and your engineer cancelled.")
    told = Line("customer", "The boiler stopped, then the engineer cancelled.")
    alone = score_turns([said_back], RULES_ONLY)[0]
    after = score_turns([told, said_back], RULES_ONLY)[1]
    assert alone.attentive == 0.0
    assert (after.attentive or 0) > 0.5


WORDS = ["I'm", "sorry", "worried", "calm", "down", "not", "thanks", "furious", "?", "help", ""]
LINES = st.builds(
    Line,
    st.sampled_from(["agent", "customer", "other"]),
    st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join),
)


@given(st.lists(LINES, max_size=6))
@settings(deadline=None, max_examples=40)
def test_scores_are_shares_and_later_turns_do_not_change_earlier_ones(lines: list[Line]) -> None:
    scored = score_turns(lines)
    assert [s.speaker for s in scored] == [line.speaker for line in lines]
    for before, now in zip(score_turns(lines[:2]), scored, strict=False):
        for name, value in vars(before).items():
            # Numbers of 16 bits differ a little with what else is in their batch.
            same = pytest.approx(value, abs=0.02) if isinstance(value, float) else value
            if name == "cues":
                same = [(cue.kind, cue.explicit, cue.text) for cue in value]
                assert [(cue.kind, cue.explicit, cue.text) for cue in now.cues] == same
            else:
                assert getattr(now, name) == same
    for score in scored:
        values = [v for v in vars(score).values() if isinstance(v, float)]
        assert all(0.0 <= v <= 1.0 for v in values)
