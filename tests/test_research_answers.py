"""Which answers to which feelings go with an outcome, and who has none: planted and found."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from warmline.research import Design
from warmline.research.associations import answer_effects, associations
from warmline.research.sample import inverse_chances

DESIGN = Design(measures=("m",), controls=(), min_n=50)


def calls(seed: int, *, agents: int = 20, each: int = 80) -> tuple[Any, Any]:
    """Affective answers to fear keep 25 points more, those to anger lose 20; early ones only."""
    random = np.random.default_rng(seed)
    n = agents * each
    count = 1 + random.poisson(1.0, n)
    call = np.repeat(np.arange(n), count)
    kind = random.choice(["anger", "fear"], len(call))
    answer = random.choice(["ignored", "affective", "cognitive"], len(call), p=[0.5, 0.25, 0.25])
    gain = np.where(answer == "affective", np.where(kind == "fear", 0.25, -0.2), 0.0)
    chance = 0.5 + np.bincount(call, gain, n) / count
    frame = pd.DataFrame(
        {
            "call_id": [f"c{i}" for i in range(n)],
            "agent_id": [f"a{i // each}" for i in range(n)],
            "outcome": (random.random(n) < chance) * 1.0,
        }
    )
    cues = pd.DataFrame({"kind": kind, "answer": answer, "position": random.random(len(call))})
    cues.insert(0, "call_id", "c" + pd.Series(call).astype(str))
    return frame, cues


def test_an_answer_that_helps_fear_and_harms_anger_is_told_apart() -> None:
    found = {(a.cue, a.answer): a for a in answer_effects(*calls(1, each=240), DESIGN)}
    assert {key for key in found if key[0] in ("anger", "fear")} == {
        (kind, answer) for kind in ("anger", "fear") for answer in ("affective", "cognitive")
    }
    for key, planted in ((("fear", "affective"), 0.25), (("anger", "affective"), -0.2)):
        effect = found[key]
        assert effect.estimate and effect.estimate.value == pytest.approx(planted, abs=0.09)
        assert effect.estimate.low * effect.estimate.high > 0
        assert (effect.p_corrected or 1.0) < 0.01 and effect.against == "ignored"
    nothing = found["fear", "cognitive"].estimate
    assert nothing and abs(nothing.value) < 0.09


def test_what_is_early_is_told_from_what_is_late() -> None:
    frame, cues = calls(2)
    random = np.random.default_rng(3)
    n = len(frame)
    call = cues["call_id"].str[1:].astype(int).to_numpy()
    early = (cues["answer"] != "ignored") & (cues["position"] < 1 / 3)
    chance = 0.5 + 0.3 * np.bincount(call, early, n) / np.bincount(call)
    frame = frame.assign(outcome=(random.random(n) < chance) * 1.0)
    found = {a.cue: a.estimate for a in answer_effects(frame, cues, DESIGN)}
    first, last = found["the first third"], found["the last third"]
    assert first and first.value == pytest.approx(0.3, abs=0.12) and first.low > 0
    assert last and abs(last.value) < 0.12


def test_few_cues_or_one_agents_habit_have_a_reason() -> None:
    frame, cues = calls(4)
    rare = cues.assign(answer=cues["answer"].where(cues.index >= 12, "attentive"))
    found = {(a.cue, a.answer): a for a in answer_effects(frame, rare, DESIGN)}
    assert "at least 30 of 3 are needed" in (found["fear", "attentive"].reason or "")
    assert found["fear", "affective"].estimate
    assert answer_effects(frame, cues.iloc[:0], DESIGN) == ()
    known = frame["agent_id"].where(frame.index >= 800)
    half = answer_effects(frame.assign(agent_id=known), cues, DESIGN)
    assert half[0].calls < 0.6 * answer_effects(frame, cues, DESIGN)[0].calls  # those in the model
    few = answer_effects(frame.iloc[:20], cues, DESIGN)
    assert few and all(a.reason for a in few)


def test_who_seldom_answers_a_survey_is_stood_for_by_those_alike_who_do() -> None:
    """Calm customers gain half a point a unit and answer, upset ones neither: the mean is 0.25."""
    values: dict[str, list[float]] = {"as given": [], "weighed": []}
    for seed in range(6):
        random = np.random.default_rng(seed)
        n = 2000
        upset, m = random.random(n) < 0.5, random.normal(size=n)
        rating = 6 + np.where(upset, 0.0, 0.5) * m - upset + random.normal(size=n)
        gave = random.random(n) < np.where(upset, 0.15, 0.7)
        frame = pd.DataFrame(
            {
                "call_id": [f"c{i}" for i in range(n)],
                "agent_id": [f"a{i % 20}" for i in range(n)],
                "m": m,
                "queue": np.where(upset, "complaints", "orders"),
                "outcome": rating,
            }
        )
        design = replace(DESIGN, controls=("queue",))
        weights = inverse_chances(frame, gave, design.controls)
        assert weights is not None and len(weights) == gave.sum()
        assert weights.sum() == pytest.approx(n, rel=0.1)
        told = frame[gave]
        for name, rows in (
            ("as given", told),
            ("weighed", told.assign(weight=told["call_id"].map(weights))),
        ):
            (found,) = associations(rows, design)
            assert found.adjusted and found.sd
            values[name].append(found.adjusted.value / found.sd)
    assert np.mean(values["as given"]) > 0.36
    assert np.mean(values["weighed"]) == pytest.approx(0.25, abs=0.05)


def test_nothing_is_weighed_where_all_or_next_to_none_have_the_outcome() -> None:
    frame = pd.DataFrame({"call_id": ["a", "b"] * 50, "queue": ["x", "y"] * 50})
    assert inverse_chances(frame, np.ones(100, dtype=bool), ("queue",)) is None
    assert inverse_chances(frame, np.arange(100) < 50, ()) is None
