"""How an outcome goes with each measure, and with which answers to which feelings.

Of a measure there is one slope, raw and adjusted, and its levels. Answers need not all do the same:
an affective one may help who is afraid and not who is angry (Clark et al. 2013), and what helps
early in a call may not late (Marinova et al. 2018). Of each call with a cue, the shares of its cues
that are of a kind and were answered in a way enter one model, beside the shares of the kinds; what
they are compared with is the same cue, ignored.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warmline.database import open_for_reading
from warmline.research import (
    Array,
    Codes,
    Controls,
    Correction,
    Design,
    Effects,
    Model,
    design_matrix,
    usable,
)
from warmline.research.regression import (
    Coefficient,
    Fit,
    fit,
    less_means,
    logit_effect,
    within_share,
)

LEAST_AGENTS = 3
LEAST_OF_EACH = 10
LEAST_WEEKS = 8
#: An agent who has more of the measure's variance than this decides the estimate alone.
LARGEST_SHARE = 0.8
LARGEST_LEVERAGE = 0.99
_NOTHING = 1e-8


@dataclass(frozen=True)
class Association:
    """One measure beside the outcome. Estimates are changes of the outcome per SD of the measure.

    `raw` compares all calls with each other, `adjusted` holds equal what the design says, on the
    same `n` rows of `agents` agents. `missing` counts the rows left out, by what they lack. With a
    `reason` there is no estimate. `robustness` is a share, see `Fit.robustness`.
    `largest_agent_share` is the share of the measure's variance, all else held equal, that one
    agent has; `p_bootstrap` a second opinion on `adjusted.p` (`Fit.bootstrap_p`).
    With random effects `p_mundlak` (Mundlak 1978) tests whether agents who do more of it differ
    otherwise, too; a small one says that fixed effects are to be taken.
    """

    measure: str
    n: int
    agents: int
    missing: dict[str, int]
    mean: float | None = None
    sd: float | None = None
    raw: Coefficient | None = None
    adjusted: Coefficient | None = None
    p_corrected: float | None = None
    robustness: float | None = None
    reason: str | None = None
    largest_agent_share: float | None = None
    p_bootstrap: float | None = None
    p_mundlak: float | None = None


@dataclass(frozen=True)
class Cases:
    """The complete rows for one measure, as numbers."""

    frame: Any
    y: Array
    measure: Array
    clusters: Codes
    missing: dict[str, int]
    weights: Array | None = None
    others: tuple[Codes, ...] = ()

    @property
    def agents(self) -> int:
        """Return how many agents took these calls."""
        return len(np.unique(self.clusters))


def associations(frame: Any, design: Design) -> tuple[Association, ...]:
    """Return every measure of the design, p-values corrected over those that have one.

    `frame` is a pandas frame of one row a call: `outcome`, `agent_id`, the measures, and the
    columns of the controls. NULL is left out and counted, never filled in.
    """
    controls = usable(frame, design.controls)
    found = [_association(frame, measure, design, controls) for measure in design.measures]
    p_values = corrected([a.adjusted.p if a.adjusted else None for a in found], design.correction)
    return tuple(replace(a, p_corrected=p) for a, p in zip(found, p_values, strict=True))


def complete_cases(frame: Any, measure: str, controls: Controls) -> Cases:
    """Return the rows in which nothing is missing; count the first thing that others lack."""
    left, missing = frame, {}
    for column in ("outcome", "agent_id", measure, *controls.columns):
        known = left[column].notna()
        if lacking := int((~known).sum()):
            missing[column] = lacking
        left = left[known]
    return Cases(
        left,
        left["outcome"].to_numpy(float),
        left[measure].to_numpy(float),
        _codes(left["agent_id"]),
        missing,
        left["weight"].to_numpy(float) if "weight" in left else None,
        _other_groups(left),
    )


def _codes(values: Any) -> Codes:
    return np.asarray(values.factorize()[0], dtype=np.int64)


def _other_groups(frame: Any) -> tuple[Codes, ...]:
    """Return the numbers of rows' customers and weeks, where these can make rows alike.

    Customers count where one has two rows; weeks where there are at least eight, of which alone
    an error can be told.
    """
    groups = []
    if "customer_id" in frame and frame["customer_id"].dropna().duplicated().any():
        unknown = frame["customer_id"].isna()
        alone = "\0" + frame.index.astype(str).to_series(index=frame.index)
        groups.append(_codes(frame["customer_id"].astype(object).where(~unknown, alone)))
    if "started_at" in frame and frame["started_at"].notna().all():
        weeks = _codes(frame["started_at"].dt.strftime("%G-%V"))
        if len(weeks) and weeks.max() + 1 >= LEAST_WEEKS:
            groups.append(weeks)
    return tuple(groups)


def why_not(cases: Cases, design: Design) -> str | None:
    """Return why nothing can be said from these rows; None when something can."""
    y, x, n = cases.y, cases.measure, len(cases.y)
    if n < design.min_n:
        most = max(cases.missing, key=lambda c: cases.missing[c], default=None)
        lacking = "" if most is None else f" ({most} is missing in {cases.missing[most]})"
        have = "no call has" if n == 0 else "only 1 call has" if n == 1 else f"only {n} calls have"
        return f"{have} all that this needs, and it takes at least {design.min_n}{lacking}"
    if cases.agents < LEAST_AGENTS:
        return f"{cases.agents} agents; at least {LEAST_AGENTS} are needed to see how agents differ"
    levels, counts = np.unique(y, return_counts=True)
    if len(levels) == 1:
        return f"the outcome is {levels[0]:g} in all rows"
    if len(levels) == 2 and counts.min() < LEAST_OF_EACH:
        rarer = levels[counts.argmin()]
        return f"the outcome is {rarer:g} in {counts.min()} rows, at least {LEAST_OF_EACH} needed"
    if np.ptp(x) == 0:
        return f"the measure is {x[0]:g} in all rows"
    if design.effects is Effects.FIXED and within_share(x, cases.clusters) < _NOTHING:
        return "the measure differs between agents only, never within one"
    return None


def _association(frame: Any, measure: str, design: Design, controls: Controls) -> Association:
    cases = complete_cases(frame, measure, controls)
    bare = Association(measure, len(cases.y), cases.agents, cases.missing)
    if reason := why_not(cases, design):
        return replace(bare, reason=reason)
    x, sd = cases.measure, float(cases.measure.std(ddof=1))
    scaled = ((x - x.mean()) / sd)[:, None]
    others, names = design_matrix(cases.frame, controls.columns)
    whole = np.column_stack([others, scaled])
    model = fit_cases(cases, whole, (*names, measure), design.effects)
    bare = replace(bare, mean=float(x.mean()), sd=sd)
    if reason := _no_estimate(model, cases, measure):
        return replace(bare, reason=reason)
    dominance = model.dominance(measure)
    bare = replace(bare, largest_agent_share=dominance.share)
    if dominance.share > LARGEST_SHARE or dominance.leverage > LARGEST_LEVERAGE:
        return replace(
            bare,
            reason=f"one agent has {dominance.share:.0%} of the measure's variation within agents: "
            "that is a finding about one person, and its error cannot be known",
        )
    adjusted = model.estimate(measure, design.confidence)
    if design.model is Model.LOGIT:
        effect = _by_logit(cases, whole, (*names, measure), design)
        if isinstance(effect, str):
            return replace(bare, reason=effect)
        adjusted = effect
    if adjusted.df < 1:
        return replace(bare, reason="the measure varies within too few agents to say how surely")
    raw = fit_cases(cases, scaled, (measure,), Effects.NONE)
    return replace(
        bare,
        raw=raw.estimate(measure, design.confidence),
        adjusted=adjusted,
        robustness=model.robustness(measure),
        p_bootstrap=model.bootstrap_p(measure),
        p_mundlak=_mundlak(cases, whole, measure, design),
    )


def _mundlak(cases: Cases, x: Array, measure: str, design: Design) -> float | None:
    """Return the p-value of agents' means of the measure beside itself, with random effects."""
    if design.effects is not Effects.RANDOM:
        return None
    means = x[:, -1:] - less_means(x[:, -1:], cases.clusters)
    names = (*(f"control {i}" for i in range(x.shape[1] - 1)), measure, "agents' means")
    model = fit_cases(cases, np.column_stack([x, means]), names, Effects.RANDOM)
    if "agents' means" not in model.names:
        return None
    found = model.estimate("agents' means", design.confidence)
    return found.p if found.df >= 1 else None


def _by_logit(cases: Cases, x: Array, names: tuple[str, ...], design: Design) -> Coefficient | str:
    """Return the average marginal effect of the last column; a string says why there is none."""
    if set(np.unique(cases.y)) != {0.0, 1.0}:
        return "a logit needs outcomes that are yes or no; --model linear takes any"
    if design.effects is not Effects.FIXED:
        return "a logit compares within agents; use --model linear for other effects"
    return logit_effect(
        cases.y,
        x,
        names,
        names[-1],
        cases.clusters,
        weights=cases.weights,
        others=cases.others,
        confidence=design.confidence,
    )


def fit_cases(cases: Cases, x: Array, names: tuple[str, ...], effects: Effects) -> Fit:
    """Fit the outcome of complete rows on columns, weights and groups as they have them."""
    return fit(
        cases.y,
        x,
        names,
        cases.clusters,
        effects,
        weights=cases.weights,
        others=cases.others,
    )


def _no_estimate(model: Fit, cases: Cases, measure: str) -> str | None:
    """Return why a fitted model gives no estimate of the measure; None when it gives one."""
    if measure not in model.names:
        return "the controls tell the measure exactly: nothing is left of it"
    left = model.residuals @ model.residuals
    if model.dof < 1 or left < _NOTHING * len(cases.y) * cases.y.var():
        return "the model predicts the outcome exactly: that is no estimate"
    return None


def corrected(p_values: Sequence[float | None], correction: Correction) -> list[float | None]:
    """Return p-values that allow for how many there are; None is not counted."""
    told = [p for p in p_values if p is not None]
    if correction is Correction.NONE or not told:
        return list(p_values)
    from statsmodels.stats.multitest import multipletests

    method = {"bh": "fdr_bh", "holm": "holm"}[correction]
    found = iter(multipletests(told, method=method)[1].tolist())
    return [None if p is None else next(found) for p in p_values]


_PARTS = 5
_LEAST_IN_PART = 10


@dataclass(frozen=True)
class Level:
    """The level of an outcome with its interval, within 0..1 where the outcome is yes or no.

    There is no p-value: whether a level is 0 is nobody's question.
    """

    value: float
    se: float
    df: float
    low: float
    high: float


@dataclass(frozen=True)
class Part:
    """The calls whose measure lies between two values: their mean outcome, raw and adjusted.

    `adjusted` is the level if agents and controls were alike in all parts; None where the model
    cannot tell the part from others.
    """

    low: float
    high: float
    mean: float
    n: int
    raw: float
    adjusted: Level | None


@dataclass(frozen=True)
class Dose:
    """The parts of one measure, in order of its value."""

    measure: str
    parts: tuple[Part, ...]


def dose(frame: Any, measure: str, design: Design) -> Dose | None:
    """Return the dose–response of one measure; None when nothing can be said, or it is in one part.

    Parts are the values themselves when there are at most five, else about fifths of the calls.
    """
    controls = usable(frame, design.controls)
    cases = complete_cases(frame, measure, controls)
    if why_not(cases, design):
        return None
    codes = _parts(cases.measure)
    count = int(codes.max()) + 1
    if count < 2:
        return None
    others, names = design_matrix(cases.frame, controls.columns)
    dummies = (codes[:, None] == np.arange(1, count)).astype(float)
    told = tuple(f"part {i}" for i in range(1, count))
    model = fit_cases(cases, np.column_stack([others, dummies]), (*names, *told), design.effects)
    weights = np.ones(len(codes)) if cases.weights is None else cases.weights
    levels: list[Coefficient] | list[None] = [None] * count
    if set(told) <= set(model.names) and all(_is_shared(model, part) for part in told):
        shares = np.bincount(codes, weights) / weights.sum()
        levels = model.estimates(_levels(model.names, told, shares), design.confidence)
    middle = float(np.average(cases.y, weights=weights))
    return Dose(
        measure,
        tuple(_part(codes == i, cases, weights, middle, levels[i]) for i in range(count)),
    )


def _is_shared(model: Fit, part: str) -> bool:
    """Return whether a part's level rests on more than one agent."""
    dominance = model.dominance(part)
    return dominance.share <= LARGEST_SHARE and dominance.leverage <= LARGEST_LEVERAGE


def _parts(values: Array) -> Codes:
    """Return each value's part, from 0; parts of fewer than ten calls join the one below."""
    distinct = np.unique(values)
    if len(distinct) <= _PARTS:
        tops = distinct[:-1]
    else:
        shares = np.arange(1, _PARTS) / _PARTS
        tops = np.unique(np.quantile(values, shares, method="inverted_cdf"))
        tops = tops[tops < distinct[-1]]
    while len(tops):
        counts = np.bincount(np.searchsorted(tops, values), minlength=len(tops) + 1)
        small = np.flatnonzero(counts < _LEAST_IN_PART)
        if not len(small):
            break
        tops = np.delete(tops, max(int(small[0]) - 1, 0))
    return np.searchsorted(tops, values).astype(np.int64)


def _levels(names: tuple[str, ...], told: tuple[str, ...], shares: Array) -> Array:
    """Return how far each part's level lies from the mean of all, as combinations of dummies.

    `shares` are the parts' shares of all calls.
    """
    rows = np.zeros((len(shares), len(names)))
    for part, name in enumerate(told, start=1):
        rows[:, names.index(name)] -= shares[part]
        rows[part, names.index(name)] += 1.0
    return rows


def _part(
    own: NDArray[np.bool_], cases: Cases, weights: Array, middle: float, level: Coefficient | None
) -> Part:
    adjusted = None
    if level is not None:
        ends = np.array([level.value, level.low, level.high]) + middle
        if set(np.unique(cases.y)) <= {0.0, 1.0}:
            ends = np.clip(ends, 0.0, 1.0)
        value, low, high = ends.tolist()
        adjusted = Level(value, level.se, level.df, low, high)
    x, raw = cases.measure[own], float(np.average(cases.y[own], weights=weights[own]))
    return Part(float(x.min()), float(x.max()), float(x.mean()), int(own.sum()), raw, adjusted)


# Which answers to which feelings go with an outcome, and when in the call they were given.


_LEAST_CUES = 30
_IGNORED = "ignored"
_THIRDS = ("the first third", "the middle", "the last third")
_EMPATHIC = frozenset({"attentive", "affective", "cognitive"})
_SHARE = "(share answered)"

_CUES = """
SELECT
    opportunities.call_id, opportunities.kind, opportunities.answer,
    opportunities.start_s / nullif(calls.duration_s, 0) AS position
FROM opportunities INNER JOIN calls USING (call_id)
WHERE opportunities.answer IS NOT NULL
ORDER BY opportunities.call_id, opportunities.opportunity_index
"""


@dataclass(frozen=True)
class AnswerEffect:
    """One kind of answer to one kind of cue beside the outcome.

    `estimate` is the outcome's change from a call all of whose cues are of this kind and not
    answered so (`against`) to one in which all are. `cues` and `calls` are those in the model. With
    a `reason` there is no estimate.
    """

    cue: str
    answer: str
    against: str
    cues: int
    calls: int
    estimate: Coefficient | None = None
    p_corrected: float | None = None
    reason: str | None = None


def read_cues(warehouse: Path) -> Any:
    """Return all cues after which the agent spoke: call, kind, answer, and position (0..1)."""
    with open_for_reading(warehouse) as con:
        return con.execute(_CUES).df()


def answer_effects(frame: Any, cues: Any, design: Design) -> tuple[AnswerEffect, ...]:
    """Return answers by kind of cue, then answers by third of the call.

    `frame` is a pandas frame of one row a call as of `associations`, with `call_id`; `cues` as of
    `read_cues`. p-values are corrected over all of them.
    """
    third = np.minimum((cues["position"].fillna(0.0) * 3).astype(int), 2)
    by_time = cues.assign(
        kind=[_THIRDS[t] for t in third],
        answer=np.where(cues["answer"].isin(_EMPATHIC), "answered", "not answered"),
    )
    found = [
        *_grid(frame, cues, _IGNORED, design),
        *_grid(frame, by_time[cues["position"].notna()], "not answered", design),
    ]
    p_values = corrected([f.estimate.p if f.estimate else None for f in found], design.correction)
    return tuple(replace(f, p_corrected=p) for f, p in zip(found, p_values, strict=True))


def _grid(frame: Any, cues: Any, against: str, design: Design) -> list[AnswerEffect]:
    """Return an estimate for each kind of cue and answer but `against`."""
    cues = cues[cues["call_id"].isin(frame["call_id"])]
    kinds = sorted(cues["kind"].unique())
    answers = sorted(set(cues["answer"].unique()) - {against})
    if not kinds or not answers:
        return []
    rows = frame.merge(_shares(cues, kinds, answers), on="call_id")
    controls = usable(rows, design.controls)
    cases = complete_cases(rows, _SHARE, controls)
    counted = cues[cues["call_id"].isin(cases.frame["call_id"])]
    bare = [
        AnswerEffect(kind, answer, against, int(own.sum()), counted[own]["call_id"].nunique())
        for kind in kinds
        for answer in answers
        for own in [(counted["kind"] == kind) & (counted["answer"] == answer)]
    ]
    if reason := why_not(cases, design):
        return [replace(b, reason=reason) for b in bare]
    others, names = design_matrix(cases.frame, controls.columns)
    told = [*kinds[1:], *(_cell(b) for b in bare)]
    x = np.column_stack([others, cases.frame[told].to_numpy(float)])
    model = fit_cases(cases, x, (*names, *told), design.effects)
    return [_told(b, model, cases, design) for b in bare]


def _shares(cues: Any, kinds: list[str], answers: list[str]) -> Any:
    """Return a row a call: the share of its cues of each kind, and of each kind and answer."""
    import pandas as pd

    columns: dict[str, Array] = {kind: (cues["kind"] == kind).to_numpy(float) for kind in kinds}
    for kind in kinds:
        for answer in answers:
            columns[f"{kind}: {answer}"] = columns[kind] * (cues["answer"] == answer).to_numpy()
    columns[_SHARE] = cues["answer"].isin(answers).to_numpy(float)
    return pd.DataFrame(columns).groupby(cues["call_id"].to_numpy()).mean().rename_axis("call_id")


def _cell(effect: AnswerEffect) -> str:
    return f"{effect.cue}: {effect.answer}"


def _told(bare: AnswerEffect, model: Fit, cases: Cases, design: Design) -> AnswerEffect:
    own = cases.frame[_cell(bare)].to_numpy(float) > 0
    agents = len(np.unique(cases.clusters[own]))
    if bare.cues < _LEAST_CUES or agents < LEAST_AGENTS:
        return replace(
            bare,
            reason=f"{bare.cues} cues of {agents} agents; at least {_LEAST_CUES} of "
            f"{LEAST_AGENTS} are needed",
        )
    if _cell(bare) not in model.names:
        return replace(bare, reason="the other kinds and the controls tell it exactly")
    dominance = model.dominance(_cell(bare))
    if dominance.share > LARGEST_SHARE or dominance.leverage > LARGEST_LEVERAGE:
        return replace(bare, reason=f"one agent has {dominance.share:.0%} of what it varies")
    found = model.estimate(_cell(bare), design.confidence)
    if found.df < 1:
        return replace(bare, reason="it varies within too few agents to say how surely")
    return replace(bare, estimate=found)
