"""Errors of recognition, labels, and whether all are heard alike: a replicate each."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from warmline.annotation import Key, Label
from warmline.annotation.agreement import agreement
from warmline.research import Effects
from warmline.research.calibration import Recognised, calibration, corrected, known_slope
from warmline.research.fairness import dif, word_error_gap
from warmline.research.regression import fit

from . import worlds_heard
from .tries import Try, of_estimate


def errors_of_recognition(seed: int, **given: Any) -> Iterator[Try]:
    """An association corrected for errors by 300 labelled turns."""
    made = worlds_heard.imperfect_ledger(seed, **given)
    calls = made.calls
    known = Recognised(
        calls["rate"], calls["cues"].astype(float), calls["agent"], int(calls["all"][0])
    )
    random = np.random.default_rng(seed + 10_000)
    labels, key = {}, {}
    for flagged, count in ((True, 240), (False, 60)):
        places = np.flatnonzero(made.turns["flagged"] == flagged)
        for place in random.choice(places, count, replace=False).tolist():
            turn = {name: column[place] for name, column in made.turns.items()}
            said = "affective" if turn["seen"] else "ignored"
            truly = "affective" if turn["answered"] else "ignored"
            item, kinds = f"t{place}", ("fear_anxiety",) if flagged else ()
            chance = count / len(places)
            key[item] = Key(f"c{turn['call']}", kinds, said if flagged else None, 0, "", chance)
            labels[item] = Label("fear_anxiety", truly) if turn["felt"] else Label("none")
    by = calibration([labels], key, known)
    agents = np.unique(calls["agent"], return_inverse=True)[1]
    model = fit(calls["outcome"], calls["rate"][:, None], ("m",), agents, Effects.FIXED)
    plain = model.estimate("m", 0.95)
    yield of_estimate("as recognised", plain, made.truth)
    told = corrected(plain, 1.0, by, 0.95)
    found = of_estimate("corrected", told, made.truth)
    if not made.truth and not found.refused and found.low is not None and found.high is not None:
        found = replace(found, alarm=not found.low <= 0 <= found.high)
    yield found


def curve(seed: int, **given: float) -> Iterator[Try]:
    """What an association is with errors, and would be without, by the errors that are planted.

    The ledger of this world tells 0.825 of answers rightly.
    """
    made = worlds_heard.imperfect_ledger(seed, **given)
    calls, turns = made.calls, made.turns
    precision = float(turns["felt"][turns["flagged"]].mean())
    recall = given.get("recall", 0.5)
    agents = np.unique(calls["agent"], return_inverse=True)[1]
    known = Recognised(calls["rate"], calls["cues"].astype(float), agents, int(calls["all"][0]))
    plain = fit(calls["outcome"], calls["rate"][:, None], ("m",), agents, Effects.FIXED)
    found = plain.estimate("m", 0.95)
    yield Try("as recognised", made.truth, found.value)
    slope = known_slope(known, right=0.825, precision=precision, recall=recall)
    if slope is None:
        yield Try("by known errors", made.truth, refused=True)
        return
    yield Try("as the errors predict", made.truth * slope, found.value, found.low, found.high)
    low, high = found.low / slope, found.high / slope
    yield Try("by known errors", made.truth, found.value / slope, low, high)


def misheard(seed: int, **given: Any) -> Iterator[Try]:
    """Whether a recogniser mishears a group more, by words that people wrote down."""
    world = worlds_heard.misheard(seed, **given)
    c = world.columns
    found = word_error_gap("group", "in", c["wrong"], c["words"], c["inside"], ~c["inside"])
    if found is None:
        yield Try("word errors apart", world.truth, refused=True)
        return
    alarm = None if world.truth else found.p < 0.05
    yield Try("word errors apart", world.truth, found.difference, found.low, found.high, alarm)


def read_alike(seed: int, **given: Any) -> Iterator[Try]:
    """Whether the ledger reads two groups alike, where people see the same."""
    world = worlds_heard.read_unlike(seed, **given)
    c = world.columns
    turns = pd.DataFrame(
        {
            "call_id": np.arange(len(c["felt"])),
            "flagged": c["flagged"] * 1.0,
            "felt": c["felt"] * 1.0,
            "seen": np.nan,
            "answered": np.nan,
        }
    )
    group = np.where(c["inside"], "in", "out")
    found = next(d for d in dif("group", turns, group) if (d.group, d.what[0]) == ("in", "f"))
    yield of_estimate("log odds ratio", found.log_odds, world.truth)
    if not world.truth and found.p_truth is not None:
        yield Try("goes with the truth otherwise", alarm=found.p_truth < 0.05)
    if not world.truth and found.p_corrected is not None:
        yield Try("called read otherwise", alarm=found.is_unfair)


def labels(seed: int, **given: Any) -> Iterator[Try]:
    """Labels of turns: agreement between people, and the ledger against one of them."""
    made = worlds_heard.labelled(seed, **given)
    turns = made.turns
    items = [f"t{i}" for i in range(len(turns["flagged"]))]
    kinds = [("fear_anxiety",) if f else () for f in turns["flagged"]]
    key = {
        item: Key(item, kind, None, None, "", float(chance))
        for item, kind, chance in zip(items, kinds, turns["chance"], strict=True)
    }
    sheets = {
        name: {
            item: Label("fear_anxiety" if felt else "none")
            for item, felt in zip(items, turns[name], strict=True)
        }
        for name in ("ann", "bob")
    }
    found = agreement(sheets, key, seed=seed)
    against, together = found.against[0], found.together[0]
    told = {"precision": against.precision, "recall": against.recall}
    told |= {"specificity": against.specificity, "kappa": found.between[0].cue}
    told |= {"ac1": together.ac1, "alpha": together.alpha}
    for name, estimate in told.items():
        yield of_estimate(name, estimate, made.truth[name])
