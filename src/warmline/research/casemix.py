"""Agents beside each other, as their calls are: what was observed over what was to be expected.

An agent who takes the complaints answers other calls than one who takes the orders. What is to be
expected of an agent's calls is told by their reason, queue, month and language, by slopes within
agents, so that what agents themselves do is not taken for a matter of their queue. What is left is
drawn towards 0 by its reliability (a random effect of the agent); where that is below 0.7 agents
are not ranked, because most of what they differ by is luck.
"""

from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from warmline.research.design import Array, Codes, Design, Effects, design_matrix, usable
from warmline.research.fairness import Gap, read_gaps
from warmline.research.regression import fit
from warmline.research.reliability import components
from warmline.research.sample import read_calls
from warmline.statistics import Estimate

CONTROLS = ("contact_reason", "queue", "month", "language", "duration")
#: Below this reliability agents are not ranked.
LEAST_RELIABLE = 0.7
_LEAST_AGENTS = 5
_LEAST_CALLS = 30
_Z = 1.959964


@dataclass(frozen=True)
class Compared:
    """One agent: means per call, what such calls have on average, and what is left.

    `difference` is observed less expected, `own` the same drawn towards 0 by `reliability` (0..1),
    with its interval.
    """

    agent_id: str
    calls: int
    observed: float
    expected: float
    difference: float
    own: Estimate
    reliability: float

    @property
    def ratio(self) -> float | None:
        """Return observed over expected; None where nothing was to be expected."""
        return self.observed / self.expected if self.expected > 0 else None


@dataclass(frozen=True)
class CaseMix:
    """All agents in one measure, by name, or by `own` where that can be said (`is_ranked`).

    With a `reason` nothing is shown; `gaps` are why a comparison would not be fair.
    """

    measure: str
    calls: int
    agents: tuple[Compared, ...] = ()
    reliability: float | None = None
    is_ranked: bool = False
    held_equal: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    reason: str | None = None


def read_case_mix(warehouse: Path, design: Design) -> list[CaseMix]:
    """Return agents' comparison in each measure of a design, where it is fair.

    Raises as `read_calls`.
    """
    frame = read_calls(warehouse, design)
    gaps = read_gaps(warehouse, design)
    found = []
    for measure in design.measures:
        own = tuple(g for g in gaps if g.is_unfair and g.what in (measure, "suppressed"))
        found.append(case_mix(frame, measure, design) if not own else _unfair(frame, measure, own))
    return found


def _unfair(frame: Any, measure: str, gaps: tuple[Gap, ...]) -> CaseMix:
    said = "; ".join(str(gap) for gap in gaps)
    return CaseMix(
        measure,
        int(frame[measure].notna().sum()),
        gaps=gaps,
        reason=f"agents are not compared, because calls are not heard alike: {said}",
    )


def case_mix(frame: Any, measure: str, design: Design) -> CaseMix:
    """Return agents' comparison in one measure.

    `frame` is a pandas frame of one row a call: `agent_id`, `started_at`, measure and controls.
    """
    controls = usable(frame, design.controls)
    rows = frame.dropna(subset=[measure, "agent_id", "started_at", *controls.columns])
    names = np.array(sorted(rows["agent_id"].unique()))
    agents = np.searchsorted(names, rows["agent_id"].to_numpy()).astype(np.int64)
    bare = CaseMix(measure, len(rows), held_equal=controls.columns)
    if len(names) < _LEAST_AGENTS or len(rows) < _LEAST_CALLS:
        return CaseMix(
            measure,
            len(rows),
            reason=f"{len(rows)} calls of {len(names)} agents; at least {_LEAST_CALLS} calls of "
            f"{_LEAST_AGENTS} agents are needed",
        )
    y = rows[measure].to_numpy(float)
    if np.ptp(y) == 0:
        return CaseMix(measure, len(rows), reason=f"it is {y[0]:g} in all calls")
    expected = _expected(y, rows, controls.columns, agents)
    weeks = rows["started_at"].dt.strftime("%G-%V").to_numpy()
    cells = np.unique(np.char.add(agents.astype(str), weeks.astype(str)), return_inverse=True)[1]
    compared = _compared(names, y, expected, agents, cells.astype(np.int64))
    overall = float(np.mean([c.reliability for c in compared]))
    is_ranked = overall >= LEAST_RELIABLE
    if is_ranked:
        compared.sort(key=lambda c: -c.own.value)
    return CaseMix(
        measure, len(rows), tuple(compared), overall, is_ranked, bare.held_equal, bare.gaps
    )


def _expected(y: Array, rows: Any, columns: tuple[str, ...], agents: Codes) -> Array:
    """Return what each call has on average, by slopes within agents around the mean of all."""
    x, names = design_matrix(rows, columns)
    if not names:
        return np.full(len(y), y.mean())
    model = fit(y, x, names, agents, Effects.FIXED)
    kept = x[:, [names.index(n) for n in model.names]]
    expected: Array = y.mean() + (kept - kept.mean(axis=0)) @ model.params
    return expected


def _compared(names: Any, y: Array, expected: Array, agents: Codes, weeks: Codes) -> list[Compared]:
    left = y - expected
    parts = components(left, agents, weeks)
    counts = np.bincount(agents)
    of_week = np.bincount(weeks)
    agent_of_week = np.zeros(len(of_week), dtype=np.int64)
    agent_of_week[weeks] = agents
    weeks_worth = np.bincount(agent_of_week, of_week**2) / counts**2
    noise = parts.week * weeks_worth + parts.call / counts
    means = [np.bincount(agents, values) / counts for values in (y, expected, left)]
    found = []
    for i, name in enumerate(names):
        kept = parts.agent / (parts.agent + noise[i]) if parts.agent > 0 else 0.0
        own, se = kept * float(means[2][i]), sqrt(parts.agent * (1 - kept))
        found.append(
            Compared(
                str(name),
                int(counts[i]),
                float(means[0][i]),
                float(means[1][i]),
                float(means[2][i]),
                Estimate(own, own - _Z * se, own + _Z * se, int(counts[i])),
                float(kept),
            )
        )
    return found
