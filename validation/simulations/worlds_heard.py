"""Calls as a machine hears and reads them, with what is true of them; made as `worlds` are."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .worlds import Columns, World


@dataclass(frozen=True)
class Listened:
    """Calls as a ledger has them, and all turns: flagged, felt, answered, seen answered."""

    calls: Columns
    turns: Columns
    truth: float


def imperfect_ledger(
    seed: int,
    *,
    effect: float = 0.17,
    recall: float = 0.5,
    accuracy: float = 0.65,
    false_flags: float = 0.02,
    agents: int = 20,
    each: int = 150,
) -> Listened:
    """Return calls of which the ledger finds half of the feelings and errs about their answers.

    A customer all of whose feelings are answered stays by `effect` more often than one of whom none
    is. One turn in five shows a feeling; of the others `false_flags` are flagged.
    """
    random = np.random.default_rng(seed)
    n = agents * each
    agent = np.repeat(np.arange(agents), each)
    chance = 0.5 + (0.1 * random.normal(size=agents))[agent] + 0.25 * random.normal(size=n)
    chance = np.clip(chance, 0.02, 0.98)
    turns = random.integers(6, 14, n)
    call = np.repeat(np.arange(n), turns)
    total = len(call)
    felt = random.random(total) < 0.2
    answered = random.random(total) < chance[call]
    flagged = random.random(total) < np.where(felt, recall, false_flags)
    right = felt & (random.random(total) < accuracy)
    seen = np.where(right, answered, random.random(total) < 0.5)
    feelings = np.bincount(call, felt, n)
    share = np.where(feelings > 0, np.bincount(call, felt & answered, n), 0.5)
    share = share / np.maximum(feelings, 1)
    stays = random.random(n) < 0.55 + effect * (share - 0.5)
    cues = np.bincount(call, flagged, n)
    kept = cues > 0
    calls = {
        "agent": agent[kept],
        "cues": cues[kept],
        "rate": np.bincount(call, flagged & seen, n)[kept] / cues[kept],
        "outcome": stays[kept] * 1.0,
        "all": np.array([n]),
    }
    said = {"call": call, "flagged": flagged, "felt": felt, "answered": answered, "seen": seen}
    return Listened(calls, said, effect)


@dataclass(frozen=True)
class Labelled:
    """A sample of turns as two people label them: one row a turn, and what is true of all turns.

    `flagged` by the ledger, `chance` of being drawn, `ann` and `bob` see a feeling. The truth of
    `precision`, `recall`, `specificity` is against ann, that of `kappa`, `ac1`, `alpha` of both.
    """

    turns: Columns
    truth: Mapping[str, float]


def labelled(
    seed: int, *, prevalence: float, flagged: int = 120, unflagged: int = 240, total: int = 20_000
) -> Labelled:
    """Return labels of turns of which so many were drawn from each half.

    The ledger finds 0.44 of the feelings and 0.03 of the other turns; people find 0.85 and 0.03.
    """
    random = np.random.default_rng(seed)
    felt = random.random(total) < prevalence
    flag = random.random(total) < np.where(felt, 0.44, 0.03)
    ann = random.random(total) < np.where(felt, 0.85, 0.03)
    bob = random.random(total) < np.where(felt, 0.85, 0.03)
    drawn = np.concatenate(
        [
            random.choice(np.flatnonzero(flag), flagged, replace=False),
            random.choice(np.flatnonzero(~flag), unflagged, replace=False),
        ]
    )
    chance = np.where(flag[drawn], flagged / flag.sum(), unflagged / (~flag).sum())
    turns = {"flagged": flag[drawn], "chance": chance, "ann": ann[drawn], "bob": bob[drawn]}
    both, one = np.mean(ann & bob) + np.mean(~ann & ~bob), (ann.mean() + bob.mean()) / 2
    chances = {
        "kappa": ann.mean() * bob.mean() + (1 - ann.mean()) * (1 - bob.mean()),
        "ac1": 2 * one * (1 - one),
        "alpha": one**2 + (1 - one) ** 2,
    }
    truth = {name: float((both - c) / (1 - c)) for name, c in chances.items()}
    truth |= {
        "precision": float(ann[flag].mean()),
        "recall": float(flag[ann].mean()),
        "specificity": float((~flag)[~ann].mean()),
    }
    return Labelled(turns, truth)


def heard(seed: int, *, more: float = 0.0, calls: int = 900) -> World:
    """Return calls in two languages, of which as many more in German are not read (`more`)."""
    random = np.random.default_rng(seed)
    german = random.random(calls) < 0.3
    words = random.integers(100, 400, calls)
    sure = np.clip(random.normal(0.85, 0.05, calls), 0, 1)
    return World(
        {
            "agent": random.integers(0, 12, calls),
            "language": np.where(german, "de", "en"),
            "codec": random.choice(["opus", "flac"], calls),
            "suppressed": random.random(calls) < 0.12 + more * german,
            "words": words,
            "doubtful": random.binomial(words, 0.08),
            "sure": sure,
            "share": np.where(random.random(calls) < 0.25, np.nan, random.random(calls)),
        },
        more,
    )


def misheard(seed: int, *, more: float = 0.0, calls: int = 60) -> World:
    """Return calls that people wrote down, of which a third are of a group that is misheard `more`.

    Calls differ in length, and in how well they are heard.
    """
    random = np.random.default_rng(seed)
    inside = np.arange(calls) < calls // 3
    words = random.integers(60, 400, calls)
    chance = np.clip(random.beta(3.0, 20.0, calls) + more * inside, 0, 1)
    wrong = random.binomial(words, chance).astype(float)
    return World({"inside": inside, "words": words.astype(float), "wrong": wrong}, more)


def read_unlike(seed: int, *, log_odds: float = 0.0, total: int = 8_000) -> World:
    """Return labelled turns of two groups; the ledger flags one more often, the truth being equal.

    240 flagged and 240 others are drawn. The other group shows twice as many feelings.
    """
    random = np.random.default_rng(seed)
    inside = random.random(total) < 0.4
    felt = random.random(total) < np.where(inside, 0.1, 0.2)
    score = -3.2 + 3.0 * felt + log_odds * inside
    flagged = random.random(total) < 1 / (1 + np.exp(-score))
    drawn = np.concatenate(
        [random.choice(np.flatnonzero(flagged == f), 240, replace=False) for f in (True, False)]
    )
    columns = {"inside": inside[drawn], "felt": felt[drawn], "flagged": flagged[drawn]}
    return World(columns, log_odds)
