"""Which answers to which feelings go with an outcome, and when in the call they were given.

Answers need not all do the same: an affective one may help who is afraid and not who is angry
(Clark et al. 2013), and what helps early in a call may not late (Marinova et al. 2018). Of each
call with a cue, the shares of its cues that are of a kind and were answered in a way enter one
model, beside the shares of the kinds; what they are compared with is the same cue, ignored.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from warmline.database import open_for_reading
from warmline.research.associations import (
    LARGEST_LEVERAGE,
    LARGEST_SHARE,
    LEAST_AGENTS,
    Cases,
    complete_cases,
    corrected,
    fit_cases,
    why_not,
)
from warmline.research.design import Array, Design, design_matrix, usable
from warmline.research.regression import Estimate, Fit

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
    answered so (`against`) to one in which all are. With a `reason` there is no estimate.
    """

    cue: str
    answer: str
    against: str
    cues: int
    calls: int
    estimate: Estimate | None = None
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
    bare = [
        AnswerEffect(kind, answer, against, int(own.sum()), cues[own]["call_id"].nunique())
        for kind in kinds
        for answer in answers
        for own in [(cues["kind"] == kind) & (cues["answer"] == answer)]
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
