"""What an association would be if the measure had no errors, by labels of one's own calls.

A measure that is recognised in part moves less with the truth than it seems to: the estimate is
drawn towards 0. Regression calibration (Carroll et al. 2006, ch. 4) divides it by the slope of the
true answered share on the recognised one. The slope comes from two places: how flags and their
answers go with the truth, from the labels, and how much the recognised shares of an agent's calls
differ beyond chance, from all calls. The interval draws labels and calls anew (a two-sample
bootstrap). Errors are taken to be alike in all calls, whatever the outcome. Without labels, the
slope can be worked out for errors that are given (misclassification with known sensitivity and
precision: Carroll et al. 2006, ch. 2 and 4; Rosner, Willett & Spiegelman 1989).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb, factorial, inf

import numpy as np

from warmline.annotation import Key, Label, Opinion, is_answered, opinion
from warmline.annotation.agreement import consensus
from warmline.errors import DataError
from warmline.research import Array, Codes
from warmline.research.regression import Coefficient

#: The measure that labels of cues and their answers say the truth of.
MEASURE = "answered_rate"
#: Precision and recall of the ledger where it was validated (validation/REPORT.md, English).
PRECISION, RECALL = 0.743, 0.565
_LEAST_CUES = 50
_LEAST_UNFLAGGED = 30
_DRAWS = 500
_RIGHT = (1.0, 0.9, 0.8, 0.7, 0.6)
# A slope that lies less than this many of its errors above 0 corrects by anything at all.
_LEAST_CLEAR = 2.5
LEAST_RELIABLE = 0.05


@dataclass(frozen=True)
class Recognised:
    """Calls as recognised: `rate` (n,) answered of `cues` (n,), by `agents` (n,).

    `ledgers` is how many calls have a ledger, also those in which no cue was recognised.
    """

    rate: Array
    cues: Array
    agents: Codes
    ledgers: int


@dataclass(frozen=True)
class Calibration:
    """The slope of the true answered share of a call on the recognised one, within agents.

    `labels` flagged turns and `unflagged` others were labelled. `draws` are bootstrap draws.
    """

    slope: float
    low: float
    high: float
    labels: int
    unflagged: int
    draws: Array


@dataclass(frozen=True)
class Corrected:
    """The outcome's change from no cue answered to all, without errors; or why there is none."""

    value: float | None
    low: float | None
    high: float | None
    reason: str | None = None


@dataclass(frozen=True)
class IfRead:
    """The outcome's change from no cue answered to all, if `right` of the answers are told rightly.

    `low` and `high` are the estimate's interval divided by the same slope: the errors are taken as
    known, and only chance in calls is in it.
    """

    right: float
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class _Labelled:
    """Labelled turns as columns: weight, whether flagged, a feeling, answered (machine, truth)."""

    weight: Array
    flagged: Array
    felt: Array
    answered: Array
    truly: Array


def calibration(
    sheets: Sequence[Mapping[str, Label]],
    key: Mapping[str, Key],
    calls: Recognised,
    *,
    seed: int = 1,
) -> Calibration:
    """Return the calibration of the answered rate by labelled turns.

    `sheets` are filled-in sheets of `warmline annotate` and `key` is theirs; of several sheets what
    most annotators say counts. Raises DataError where fewer than 50 labelled cues have an answer of
    both, fewer than 30 unflagged turns are labelled, or the recognised rate does not differ.
    """
    if len(sheets) == 1:
        labels = {item: opinion(label) for item, label in sheets[0].items()}
    else:
        labels = consensus(sheets)[0]
    told = _columns(labels, key)
    both = told.flagged * told.felt * np.isfinite(told.answered) * np.isfinite(told.truly)
    if both.sum() < _LEAST_CUES:
        raise DataError(
            f"{both.sum():.0f} labelled cues that the ledger has, too, have an answer, at least "
            f"{_LEAST_CUES} are needed to correct for errors"
        )
    unflagged = int((1 - told.flagged).sum())
    if unflagged < _LEAST_UNFLAGGED:
        raise DataError(
            f"{unflagged} turns without a cue are labelled, at least {_LEAST_UNFLAGGED} are needed "
            "to know how many feelings are missed (`annotate --unflagged`)"
        )
    if np.ptp(calls.rate) == 0:
        raise DataError(f"the answered rate is {calls.rate[0]:g} in all calls: nothing to go by")
    random = np.random.default_rng(seed)
    turns, rows = len(told.weight), len(calls.rate)
    draws = np.array(
        [
            _slope(
                told,
                calls,
                random.multinomial(turns, np.full(turns, 1 / turns)).astype(np.float64),
                random.multinomial(rows, np.full(rows, 1 / rows)).astype(np.float64),
            )
            for _ in range(_DRAWS)
        ]
    )
    draws = draws[np.isfinite(draws)]
    low, high = np.percentile(draws, (2.5, 97.5))
    slope = _slope(told, calls, np.ones(turns), np.ones(rows))
    return Calibration(slope, float(low), float(high), int(told.flagged.sum()), unflagged, draws)


def known_reliability(calls: Recognised) -> float:
    """Return how much of what calls' answered shares differ by is more than chance, 0.05 to 1.

    A call has few cues, so that its share is a poor guess of how its agent answered. Cues and
    answers that are recognised wrongly are not in it.
    """
    if len(calls.rate) < 2 or np.ptp(calls.rate) == 0:
        return 1.0
    spread, noise = _spread(calls, np.ones(len(calls.rate)))
    return float(np.clip(1 - noise / spread, LEAST_RELIABLE, 1.0)) if spread > 0 else 1.0


def corrected(
    found: Coefficient, sd: float, by: Calibration, confidence: float, most: float = inf
) -> Corrected:
    """Return what an estimate per `sd` of the recognised rate would be without errors, from 0 to 1.

    The estimate is drawn from Student's t around it, the slope from its bootstrap draws; where
    labels cannot tell the slope from 0 there is a reason instead. No change is above `most`, which
    is 1 for a share: the interval ends there, and an estimate beyond it has a reason instead.
    """
    if not by.slope > _LEAST_CLEAR * float(by.draws.std()):
        return Corrected(
            None,
            None,
            None,
            f"{by.labels + by.unflagged} labels give a slope of {by.slope:.2f} [{by.low:.2f}, "
            f"{by.high:.2f}] of the true share on the recognised one: too unsure to correct by; "
            "label more turns",
        )
    random = np.random.default_rng(2)
    estimates = found.value + found.se * random.standard_t(max(found.df, 1.0), 40 * _DRAWS)
    ratios = estimates / sd / random.choice(by.draws, 40 * _DRAWS)
    tail = (1 - confidence) / 2
    low, high = np.quantile(ratios, (tail, 1 - tail))
    value = found.value / sd / by.slope
    if abs(value) > most:
        return Corrected(
            None, None, None, f"it would be {value:+.2f}, and no share can change by more than 1"
        )
    return Corrected(value, max(float(low), -most), min(float(high), most))


def known_slope(
    calls: Recognised, *, right: float, precision: float = PRECISION, recall: float = RECALL
) -> float | None:
    """Return the slope of the true answered share on the recognised one where errors are known.

    An association as recognised is the true one times this slope. `right` is the share of answers
    that are told rightly, `precision` and `recall` are the ledger's of feelings. None where calls
    cannot be read so badly, as they differ by more than answers of 0 and 1 could.
    """
    if len(calls.rate) < 2 or np.ptp(calls.rate) == 0 or calls.ledgers == 0:
        return None
    rows = np.ones(len(calls.rate))
    spread, noise = _spread(calls, rows)
    recognised = float(calls.rate @ calls.cues / calls.cues.sum())
    missed = float(calls.cues.sum()) * precision * (1 - recall) / recall / calls.ledgers
    gain = 2 * right - 1
    rate = float(np.clip((recognised - 0.5) / gain + 0.5, 0.02, 0.98))
    slope = _slope_of(calls, rows, precision, gain, rate, missed)
    is_borne = max(spread - noise, 0.0) < rate * (1 - rate) * (precision * gain) ** 2
    return slope if is_borne and np.isfinite(slope) and slope > LEAST_RELIABLE else None


def sensitivity(
    found: Coefficient,
    sd: float,
    calls: Recognised,
    *,
    precision: float = PRECISION,
    recall: float = RECALL,
    most: float = inf,
) -> tuple[IfRead, ...]:
    """Return what an estimate would be without errors, by how well answers are told apart.

    From nine of ten answers told rightly to six, and all of them first. Nothing where calls cannot
    be read so badly, as by what they differ by, or by an estimate above `most`, which is 1 for a
    share: no change is larger, and intervals end there.
    """
    told = []
    for right in _RIGHT:
        slope = known_slope(calls, right=right, precision=precision, recall=recall)
        if slope is not None:
            whole = sd * slope
            value, low, high = found.value / whole, found.low / whole, found.high / whole
            if abs(value) <= most:
                told.append(IfRead(right, value, max(low, -most), min(high, most)))
    return tuple(told)


def _columns(labels: Mapping[str, Opinion], key: Mapping[str, Key]) -> _Labelled:
    def column(values: Sequence[bool | float | None]) -> Array:
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)

    return _Labelled(
        weight=column([1 / key[i].chance for i in labels]),
        flagged=column([bool(key[i].kinds) for i in labels]),
        felt=column([label.felt for label in labels.values()]),
        answered=column([is_answered(key[i].answer) for i in labels]),
        truly=column([is_answered(label.answer) for label in labels.values()]),
    )


def _slope(told: _Labelled, calls: Recognised, turns: Array, rows: Array) -> float:
    """Return the slope of the true share on the recognised one; `turns`, `rows` count draws.

    Let p be the chance that a true cue of a call is answered. A flag is a feeling with chance
    `precision`, then answered with the machine's hit or false-alarm rate, so that the recognised
    share has the mean constant + precision * gain * p. What it varies by beyond chance is the
    square of that times Var(p). It shares with the true share the same times Var(p), and of
    chance, E[p (1 - p)], what the flags are of the call's true cues (`_overlap`).
    """
    weight = told.weight * turns
    flagged = weight * told.flagged
    missed = (weight * (1 - told.flagged) * told.felt).sum()
    known = flagged * told.felt * np.isfinite(told.answered) * np.isfinite(told.truly)
    answered, truly = np.nan_to_num(told.answered), np.nan_to_num(told.truly)
    yes, no = (known * truly).sum(), (known * (1 - truly)).sum()
    if min(yes, no, flagged.sum()) <= 0:
        return float("nan")
    precision = float((flagged * told.felt).sum() / flagged.sum())
    gain = float(
        (known * truly * answered).sum() / yes - (known * (1 - truly) * answered).sum() / no
    )
    rate = float(yes / (yes + no))
    return _slope_of(calls, rows, precision, gain, rate, float(missed) / calls.ledgers)


def _slope_of(
    calls: Recognised, rows: Array, precision: float, gain: float, rate: float, missed: float
) -> float:
    """Return the slope, given how the ledger errs: `rate` are answered, `missed` a call."""
    spread, noise = _spread(calls, rows)
    if gain <= 0 or spread <= 0:
        return float("nan")
    between = max(spread - noise, 0.0) / (precision * gain) ** 2
    within = max(rate * (1 - rate) - between, 0.0)
    overlap = _overlap(calls.cues, rows, precision, missed)
    return gain * (precision * between + within * overlap) / spread


def _overlap(cues: Array, rows: Array, precision: float, missed: float) -> float:
    """Return the mean of true / flags / (true + missed) over calls.

    Of a call's flags `true` are feelings (binomial, by precision); so many more were missed
    (Poisson, `missed` a call).
    """
    more = np.arange(16)
    chance = np.exp(-missed) * missed**more / np.array([factorial(int(m)) for m in more])
    total = 0.0
    for flags in np.unique(cues):
        share = float(rows[cues == flags].sum() / rows.sum())
        for true in range(1, int(flags) + 1):
            ways = comb(int(flags), true) * precision**true * (1 - precision) ** (flags - true)
            total += share * ways * true / flags * float((chance / (true + more)).sum())
    return total


def _spread(calls: Recognised, rows: Array) -> tuple[float, float]:
    """Return the variance of recognised shares within agents, and what of it is chance."""
    counts = np.maximum(np.bincount(calls.agents, rows), 1e-9)
    means = np.bincount(calls.agents, rows * calls.rate) / counts
    left = calls.rate - means[calls.agents]
    total = rows.sum()
    spread = float((rows * left**2).sum() / max(total - len(counts), 1.0))
    several = rows * (calls.cues >= 2)
    scale = calls.cues / np.maximum(calls.cues - 1, 1)
    chance = (several * scale * calls.rate * (1 - calls.rate)).sum() / max(several.sum(), 1e-9)
    return spread, float(chance * (rows / calls.cues).sum() / total)
