"""What the models add to a call, and how far they agree with labels that other people gave."""

import csv
import hashlib
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from support.dialogues import NO_FLOOR, Dialogue, dialogue
from warmline.analysis import Moment
from warmline.empathy import measure
from warmline.language import read
from warmline.language.windows import (
    EMOTIONS,
    FEELINGS,
    LEVELS,
    MECHANISMS,
    adapter_file,
    emotion_probabilities,
    level_probabilities,
    network_settings,
    uptake,
    windows,
)
from warmline.models.engines import Engines
from warmline.phrases import spoken_text
from warmline.settings import LanguageSettings, Settings

ROOT = Path(__file__).parents[1]
TEXT = ROOT.parent / "shared" / "data" / "text"
FOLDS = ROOT / "training" / "epitome_folds.csv"
pytestmark = pytest.mark.models
needs_texts = pytest.mark.skipif(not TEXT.is_dir(), reason="shared text data are not here")


def heard(call: Dialogue, engines: Engines) -> tuple[Moment, ...]:
    return read(*call, Settings().language, engines)


def by_models(moments: tuple[Moment, ...]) -> list[tuple[str, str | None, str]]:
    return [(m.kind, m.label, m.rule) for m in moments if m.rule.startswith("model:")]


CALL = dialogue(
    "agent: Good morning, how can I help you?",
    "customer: That clerk was a vile nasty man and I detest him.",
    "agent: You are both so strong and we care about you.",
    "customer: It is room twelve on the second floor.",
    "agent: The heating in room twelve was repaired on Monday.",
    "customer: When does the kitchen open?",
    "agent: The kitchen opens at seven in the morning.",
)


def test_a_feeling_no_rule_names_is_a_cue_with_its_model_and_its_quote(engines: Engines) -> None:
    told = [m for m in heard(CALL, engines) if m.turn_index == 1 and m.rule == "model:feelings"]
    assert {(m.kind, m.label) for m in told} == {
        ("cue", "anger_frustration"),
        ("quote", "anger_frustration"),
    }
    assert all(m.strength >= 0.75 and "nasty" in m.text for m in told)


def test_models_add_to_what_rules_found_and_take_nothing_away(engines: Engines) -> None:
    alone = read(*CALL, Settings().language)
    together = heard(CALL, engines)
    assert [m for m in together if not m.rule.startswith("model:")] == list(alone)
    assert heard(CALL, engines) == together
    switched_off = read(*CALL, LanguageSettings(models=False), engines)
    assert switched_off == alone


def test_a_plain_call_has_neither_cues_nor_mechanisms(engines: Engines) -> None:
    plain = dialogue(
        "agent: Hello, this is the bank, how can I help you today?",
        "customer: I would like to transfer money between my accounts.",
        "agent: Sure, I can help you with that. What is the transfer amount?",
        "customer: One hundred and thirty five dollars.",
        "agent: Thank you for calling, have a great day.",
        "customer: No, that was everything. You too, bye.",
    )
    assert {kind for kind, _, _ in by_models(heard(plain, engines))} <= {"uptake"}


def test_levels_and_uptake_are_measured_where_models_read_and_missing_where_not(
    engines: Engines,
) -> None:
    conversation, _ = CALL
    names = [*(f"{m}_level" for m in MECHANISMS), "uptake"]
    read_by_both = measure(
        conversation, heard(CALL, engines), NO_FLOOR, Settings().empathy, unheard_reason=None
    )
    values = {m.name: m for m in read_by_both.metrics if m.party == "agent"}
    assert (values["emotional_reaction_level"].numerator or 0) >= 1
    assert values["emotional_reaction_level"].denominator == 4
    assert all(values[name].value is not None for name in names)
    rules = measure(conversation, read(*CALL, Settings().language), NO_FLOOR, Settings().empathy)
    missing = {m.name: m for m in rules.metrics if m.party == "agent"}
    assert all(missing[n].value is None and missing[n].reason for n in names)


def test_uptake_is_above_chance_for_what_answers_and_below_for_what_does_not(
    engines: Engines,
) -> None:
    before = ["my dog is ill", "the train was late", "I lost my purple umbrella"]
    replies = ["what ails the dog", "the train had a delay", "an umbrella, purple, noted"]
    assert (uptake(replies, before, engines) > 0.1).all()
    assert (uptake(replies, [*before[1:], before[0]], engines) < 0.0).all()
    assert np.isnan(uptake(replies[:2], before[:2], engines)).all()


@pytest.mark.parametrize("words", [1, 6, 29, 31, 64, 200])
def test_windows_hold_every_word_once(words: int) -> None:
    random_ = random.Random(words)
    vocabulary = ["and", "but", "card", "late.", "I", "wait", "so", "fine?"]
    said = spoken_text(" ".join(random_.choice(vocabulary) for _ in range(words)))
    found = windows(said)
    assert [i for first, past in found for i in range(first, past)] == list(range(len(said.words)))
    assert all(past - first <= 36 for first, past in found)


def test_the_thresholds_belong_to_the_weights() -> None:
    total = 0
    for name in ("emotions", "mechanisms"):
        weights = adapter_file(name).read_bytes()
        assert network_settings(name)["sha256"] == hashlib.sha256(weights).hexdigest()
        total += len(weights)
    assert total < 4_000_000


def test_nothing_read_gives_nothing(engines: Engines) -> None:
    assert {len(p) for p in emotion_probabilities([], engines).values()} == {0}
    assert set(emotion_probabilities(["hi"], engines)) == {*EMOTIONS, *FEELINGS}
    assert {p.shape for p in level_probabilities([], engines).values()} == {(0, LEVELS)}
    row = level_probabilities([("", "I am so sorry to hear that.")], engines)[MECHANISMS[0]]
    assert row.sum() == pytest.approx(1.0, abs=1e-5)


def comments(every: int) -> tuple[list[str], list[bool]]:
    names = (TEXT / "goemotions" / "labels.txt").read_text(encoding="utf-8").split("\n")
    with (TEXT / "goemotions" / "dev.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[::every]
    labels = [{names[int(i)] for i in row[1].split(",")} for row in rows]
    return [row[0] for row in rows], [bool(own & FEELINGS["negative"]) for own in labels]


@needs_texts
def test_negative_emotion_is_told_from_none_however_it_was_heard(engines: Engines) -> None:
    sys.path.insert(0, str(ROOT / "training"))
    from augment import as_spoken

    texts, negative = comments(every=9)
    random_ = random.Random(3)
    written = emotion_probabilities(texts, engines)["negative"]
    spoken = emotion_probabilities([as_spoken(t, random_) for t in texts], engines)["negative"]
    assert roc_auc_score(negative, written) > 0.87
    assert roc_auc_score(negative, spoken) > roc_auc_score(negative, written) - 0.02


@needs_texts
@pytest.mark.parametrize(
    ("mechanism", "file", "wanted"),
    [
        ("emotional_reaction", "emotional-reactions.csv", 0.66),
        ("interpretation", "interpretations.csv", 0.55),
        ("exploration", "explorations.csv", 0.60),
    ],
)
def test_levels_of_pairs_by_networks_that_never_saw_their_seekers(
    mechanism: str, file: str, wanted: float
) -> None:
    with (TEXT / "epitome" / file).open(encoding="utf-8", newline="") as table:
        labelled = list(csv.DictReader(table))
    with FOLDS.open(encoding="utf-8", newline="") as table:
        stored = list(csv.DictReader(table))
    assert [(r["sp_id"], r["rp_id"]) for r in labelled] == [
        (r["seeker_id"], r["response_id"]) for r in stored
    ]
    folds = {(r["seeker_id"], r["fold"]) for r in stored}
    assert len(folds) == len({seeker for seeker, _ in folds})
    said = [[float(r[f"{mechanism}_{k}"]) for k in range(LEVELS)] for r in stored]
    levels = [int(r["level"]) for r in labelled]
    assert f1_score(levels, np.argmax(said, axis=1), average="macro") >= wanted
