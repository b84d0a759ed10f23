"""What customers' words are like: sentences and requests, read from data; what weighs more."""

import numpy as np
import pytest

from warmline.language import score_turns
from warmline.language.similarity import (
    asks_plainly,
    directions,
    prototype_similarity,
    request_rules,
    sentences,
    vectors_of,
)
from warmline.language.windows import score_windows, turn_texts_of
from warmline.models.engines import Engines
from warmline.phrases import broken_examples, spoken_text
from warmline.values import RoleName


def test_rules_of_requests_do_what_their_examples_say() -> None:
    for rule, matcher in request_rules():
        assert broken_examples(rule, matcher.find) == []
        assert rule.misses


def test_every_group_has_sentences_of_its_own_and_a_direction() -> None:
    told = [sentence for group in sentences().values() for sentence in group]
    assert len(told) == len(set(told))
    assert set(directions()) == set(sentences())
    assert set(directions().values()) == {1, -1}


@pytest.mark.parametrize("shout", ["HOW DO I RESET IT", "um, how do, how do I reset it?"])
def test_a_request_is_one_however_it_was_heard(shout: str) -> None:
    assert asks_plainly(spoken_text(shout))


@pytest.mark.models
def test_likeness_is_nearest_to_ones_own_group_in_whatever_window(engines: Engines) -> None:
    said = [(RoleName.CUSTOMER, told[0]) for told in sentences().values()]
    aside = "then i went to the shop and looked at the phones and they had several colors and "
    said.append((RoleName.CUSTOMER, f"{aside * 4}. {sentences()['anger'][0]}"))
    turn_texts = turn_texts_of([*said, (RoleName.AGENT, "I'm sorry.")])
    vectors = vectors_of(turn_texts, score_windows(turn_texts, engines), engines)
    assert set(vectors) == {*range(len(said)), len(said)}
    assert all(np.linalg.norm(v, axis=1) == pytest.approx(1.0, abs=1e-5) for v in vectors.values())
    found = prototype_similarity(turn_texts, vectors, engines)
    assert set(found) == set(range(len(said)))
    for index, name in enumerate(sentences()):
        assert max(found[index], key=lambda group: found[index][group]) == name
        assert found[index][name] == pytest.approx(1.0, abs=1e-4)
    assert max(found[len(said) - 1].values()) == found[len(said) - 1]["anger"]


WORN = [
    "still nothing after two weeks",
    "I was told it would be here by Monday and it never came",
    "this is the fourth time I've had to ring about it",
    "I had to take a day off work for this",
    "if it isn't sorted by Friday I'm going to the ombudsman",
    "great, another automated message",
]
PLAIN = [
    "how do I reset it",
    "I'd like to change my address",
    "it's the blue one, order seven two four",
    "could you tell me when it is delivered",
]


@pytest.mark.models
def test_trouble_that_wears_on_is_heard_above_a_fault_and_a_request(engines: Engines) -> None:
    def negative(text: str) -> float:
        (scored,) = score_turns([{"speaker": "customer", "text": text}], engines=engines)
        return scored.negative_emotion or 0.0

    assert min(map(negative, WORN)) > 1.5 * max(map(negative, PLAIN))
    assert negative("still nothing after two weeks") > negative("the screen is broken")
