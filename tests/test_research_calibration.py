"""Errors of recognition corrected by labels: a planted effect comes back, too few are refused."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from warmline.annotation import Key, Label
from warmline.errors import DataError
from warmline.research import Effects
from warmline.research.calibration import (
    PRECISION,
    RECALL,
    Calibration,
    Recognised,
    calibration,
    corrected,
    known_slope,
    sensitivity,
)
from warmline.research.regression import Coefficient, fit

EFFECT = 0.17


@dataclass(frozen=True)
class Centre:
    """Calls as recognised with their outcome, and turns that could be labelled."""

    calls: Recognised
    outcome: Any
    flagged: list[tuple[str, bool, bool, bool]]
    unflagged: list[tuple[str, bool, bool, bool]]

    def estimate(self) -> Coefficient:
        rate = self.calls.rate[:, None]
        model = fit(self.outcome, rate, ("m",), self.calls.agents, Effects.FIXED)
        return model.estimate("m", 0.95)

    def labelled(
        self, flagged: int, unflagged: int, seed: int = 1
    ) -> tuple[dict[str, Label], dict[str, Key]]:
        """Draw turns and label them with the truth."""
        random = np.random.default_rng(seed)
        labels, key = {}, {}
        for turns, count in ((self.flagged, flagged), (self.unflagged, unflagged)):
            for place in random.choice(len(turns), count, replace=False):
                item, is_cue, answered, recognised = turns[place]
                is_flagged = turns is self.flagged
                answer = ("affective" if recognised else "ignored") if is_flagged else None
                kinds = ("fear_anxiety",) if is_flagged else ()
                key[item] = Key(item, kinds, answer, None, "all", count / len(turns))
                truth = "affective" if answered else "ignored"
                labels[item] = Label("fear_anxiety", truth) if is_cue else Label("none")
        return labels, key


def centre(seed: int, *, recall: float = 0.5, accuracy: float = 0.65, each: int = 150) -> Centre:
    """Twenty agents whose answers keep customers by EFFECT, and a ledger that sees half of it."""
    random = np.random.default_rng(seed)
    agents = np.repeat(np.arange(20), each)
    skill = (0.1 * random.normal(size=20))[agents]
    chance = np.clip(0.5 + skill + 0.25 * random.normal(size=len(agents)), 0.02, 0.98)
    rates, cues, kept, outcome = [], [], [], []
    flagged: list[tuple[str, bool, bool, bool]] = []
    unflagged: list[tuple[str, bool, bool, bool]] = []
    for call, p in enumerate(chance):
        turns = int(random.integers(6, 14))
        is_cue = random.random(turns) < 0.2
        answered = random.random(turns) < p
        flags = np.where(is_cue, random.random(turns) < recall, random.random(turns) < 0.02)
        right = is_cue & (random.random(turns) < accuracy)
        seen = np.where(right, answered, random.random(turns) < 0.5)
        for t in range(turns):
            turn = (f"{call}#{t}", bool(is_cue[t]), bool(answered[t]), bool(seen[t]))
            (flagged if flags[t] else unflagged).append(turn)
        if flags.any():
            share = answered[is_cue].mean() if is_cue.any() else 0.5
            rates.append(seen[flags].mean())
            cues.append(float(flags.sum()))
            kept.append(call)
            outcome.append(float(random.random() < 0.55 + EFFECT * (share - 0.5)))
    calls = Recognised(np.array(rates), np.array(cues), agents[kept], len(agents))
    return Centre(calls, np.array(outcome), flagged, unflagged)


def test_an_effect_that_errors_hide_comes_back_with_300_labels() -> None:
    naive, found, covers = [], [], []
    for seed in range(12):
        made = centre(seed)
        by = calibration([made.labelled(240, 60)[0]], made.labelled(240, 60)[1], made.calls)
        estimate = made.estimate()
        told = corrected(estimate, 1.0, by, 0.95)
        assert told.value is not None and told.low is not None and told.high is not None
        naive.append(estimate.value)
        found.append(told.value)
        covers.append(told.low <= EFFECT <= told.high)
    assert np.mean(naive) < 0.6 * EFFECT
    assert abs(np.mean(found) - EFFECT) < 0.04  # of 12 centres; the report has 200
    assert np.mean(covers) >= 0.8


def test_a_ledger_without_errors_is_hardly_corrected() -> None:
    made = centre(3, recall=1.0, accuracy=1.0)
    flagged = [turn for turn in made.flagged if turn[1]]
    labels, key = replace(made, flagged=flagged).labelled(240, 60)
    by = calibration([labels], key, made.calls)
    assert by.slope == pytest.approx(1.0, abs=0.1)


def test_labels_that_cannot_tell_are_no_correction() -> None:
    unsure = Calibration(0.1, -0.1, 0.3, 60, 40, np.random.default_rng(1).normal(0.1, 0.1, 500))
    found = Coefficient(0.05, 0.02, 10.0, 0.0, 0.1, 0.04)
    small = replace(unsure, slope=0.15, draws=np.full(50, 0.15))
    assert corrected(found, 0.4, small, 0.95).high > 1, "an outcome of any size"
    assert corrected(found, 0.4, small, 0.95, most=1.0).high == 1.0
    beyond = corrected(replace(found, value=0.08), 0.4, small, 0.95, most=1.0)
    assert beyond.value is None and "no share can change by more than 1" in beyond.reason
    told = corrected(found, 0.4, unsure, 0.95)
    assert told.value is None
    assert "100 labels give a slope of 0.10" in (told.reason or "")
    assert "label more turns" in (told.reason or "")


def test_too_few_labels_are_refused_with_how_many_it_takes() -> None:
    made = centre(4, each=20)
    with pytest.raises(DataError, match="at least 50 are needed to correct"):
        calibration([made.labelled(30, 60)[0]], made.labelled(30, 60)[1], made.calls)
    labels, key = made.labelled(120, 10)
    with pytest.raises(DataError, match="10 turns without a cue are labelled, at least 30"):
        calibration([labels], key, made.calls)
    labels, key = made.labelled(120, 60)
    with pytest.raises(DataError, match=r"the answered rate is 0\.5 in all calls"):
        calibration([labels], key, replace(made.calls, rate=np.full_like(made.calls.rate, 0.5)))


def test_an_estimate_is_worth_more_the_worse_answers_are_read() -> None:
    """With ten cues a call and errors that are planted, the slope is that of truth on reading."""
    random = np.random.default_rng(3)
    chance = np.clip(0.5 + 0.15 * random.normal(size=4000), 0.05, 0.95)
    truly = random.binomial(10, chance)
    one = Coefficient(1.0, 0.1, 100.0, 0.8, 1.2, 0.0)
    for right in (1.0, 0.8):
        seen = random.binomial(truly, right) + random.binomial(10 - truly, 1 - right)
        calls = Recognised(seen / 10, np.full(4000, 10.0), np.zeros(4000, np.int64), 4000)
        slope = float(np.cov(seen, truly)[0, 1] / np.var(seen))
        told = {t.right: t for t in sensitivity(one, 1.0, calls, precision=1.0, recall=1.0)}
        assert told[right].value == pytest.approx(1 / slope, rel=0.1)
        assert told[right].high == pytest.approx(1.2 * told[right].value), "of the estimate's own"
    assert slope < 0.9
    # No share changes by more than 1: intervals end there, and no estimate lies beyond.
    most = {t.right: t for t in sensitivity(one, 1.1, calls, precision=1.0, recall=1.0, most=1.0)}
    assert most[1.0].value == pytest.approx(told[1.0].value / 1.1) and most[1.0].high == 1.0
    assert 0.8 not in most and told[0.8].value > 1.1
    flat = Recognised(np.full(50, 0.5), np.full(50, 2.0), np.zeros(50, np.int64), 50)
    assert sensitivity(one, 1.0, flat) == ()


def test_an_association_is_drawn_towards_0_as_the_errors_say() -> None:
    """Recall 0.5, precision 0.862 and 0.825 of answers told rightly are what `centre` plants."""
    found, said = [], []
    for seed in range(12):
        made = centre(seed)
        slope = known_slope(made.calls, right=0.825, precision=0.862, recall=0.5)
        assert slope is not None
        found.append(made.estimate().value)
        said.append(EFFECT * slope)
    assert np.mean(found) == pytest.approx(np.mean(said), abs=0.02)


def test_the_errors_that_are_assumed_are_those_of_the_report() -> None:
    report = Path(__file__).parents[1] / "validation" / "report.json"
    if not report.exists():
        pytest.skip("validation is part of the checkout")
    ledger = {
        line["measure"]: round(line["estimate"]["value"], 3)
        for line in json.loads(report.read_text())["service"]["headlines"]
        if line["data"] == "support chats, English"
    }
    assert ledger["turns in the ledger: precision"] == PRECISION
    assert ledger["turns in the ledger: recall (sensitivity)"] == RECALL
