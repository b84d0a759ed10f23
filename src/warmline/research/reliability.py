"""How much of what agents differ by is theirs: what a mean of so many calls is worth.

Variance components of a nested design, calls within weeks within agents, by analysis of variance
for unequal numbers (Searle 1971, ch. 11), and from them the reliability of an agent's mean (the G
coefficient of Cronbach et al. 1972 for agents as the object of measurement).
"""

from dataclasses import dataclass
from math import ceil, nan
from pathlib import Path
from typing import Any

import numpy as np

from warmline.research.design import Design
from warmline.research.robust import Array, Codes
from warmline.research.sample import read_calls
from warmline.statistics import bootstrap

_LEAST_AGENTS = 5
_LEAST_CALLS = 30
#: Reliabilities for which the number of calls is said: fit to rank by, and to judge one person by.
WANTED = (0.7, 0.8)


@dataclass(frozen=True)
class Components:
    """Variances: between agents, between the weeks of an agent, between calls of a week."""

    agent: float
    week: float
    call: float


@dataclass(frozen=True)
class Reliability:
    """The reliability of agents' means in one measure.

    `g` (0..1) is the reliability of an agent's mean over `calls_per_agent` (harmonic mean) calls;
    `split_half` the correlation of agents' means over odd and over even calls, stepped up to all
    calls (Spearman 1910), with its interval over agents. `needed` is how many calls an agent's
    mean takes for each of `WANTED`, weeks as busy as now; None where agents do not differ. With a
    `reason` nothing is said.
    """

    measure: str
    calls: int
    agents: int
    components: Components | None = None
    calls_per_agent: float | None = None
    g: float | None = None
    split_half: float | None = None
    split_half_low: float | None = None
    split_half_high: float | None = None
    needed: tuple[int | None, ...] = ()
    reason: str | None = None


def read_reliabilities(warehouse: Path, design: Design) -> list[Reliability]:
    """Return the reliability of each measure of a design over all calls of its kind and time.

    Raises as `read_sample`.
    """
    frame = read_calls(warehouse, design)
    return [reliability(frame, measure) for measure in design.measures]


def reliability(frame: Any, measure: str) -> Reliability:
    """Return the reliability of one measure.

    `frame` is a pandas frame of one row a call: `agent_id`, `started_at`, and the measure.
    """
    rows = frame.dropna(subset=[measure, "agent_id", "started_at"]).sort_values("started_at")
    agents = _codes(rows["agent_id"])
    counts = np.bincount(agents) if len(agents) else np.zeros(0, dtype=np.int64)
    rows, agents = rows[counts[agents] >= 2], agents[counts[agents] >= 2]
    agents = np.unique(agents, return_inverse=True)[1].astype(np.int64)
    n, count = len(rows), int(agents.max()) + 1 if len(agents) else 0
    if count < _LEAST_AGENTS or n < _LEAST_CALLS:
        return Reliability(
            measure,
            n,
            count,
            reason=f"{n} calls of {count} agents with two or more; at least {_LEAST_CALLS} calls "
            f"of {_LEAST_AGENTS} agents are needed",
        )
    values = rows[measure].to_numpy(float)
    if np.ptp(values) == 0:
        return Reliability(measure, n, count, reason=f"it is {values[0]:g} in all calls")
    weeks = _codes(rows["agent_id"].astype(str) + rows["started_at"].dt.strftime(" %G-%V"))
    found = components(values, agents, weeks)
    per_agent = count / float((1 / np.bincount(agents)).sum())
    per_week = n / (int(weeks.max()) + 1)
    noise = found.week * min(per_week, per_agent) + found.call
    half = bootstrap(lambda draw: _split_half(values, agents, draw), agents.tolist(), seed=1)
    return Reliability(
        measure,
        n,
        count,
        found,
        per_agent,
        _share(found.agent, noise / per_agent),
        half.value if half else None,
        half.low if half else None,
        half.high if half else None,
        tuple(_needed(found.agent, noise, wanted) for wanted in WANTED),
    )


def components(values: Array, agents: Codes, weeks: Codes) -> Components:
    """Return the variance components of calls within weeks within agents; below 0 they are 0.

    `values`, `agents` and `weeks` are (n,); each week number belongs to one agent.
    """
    n, groups, cells = len(values), int(agents.max()) + 1, int(weeks.max()) + 1
    of_agent = np.bincount(agents).astype(float)
    of_week = np.bincount(weeks).astype(float)
    agent_of_week = np.zeros(cells, dtype=np.int64)
    agent_of_week[weeks] = agents
    agent_mean = np.bincount(agents, values) / of_agent
    week_mean = np.bincount(weeks, values) / of_week
    call_squares = float(((values - week_mean[weeks]) ** 2).sum())
    week_squares = float((of_week * (week_mean - agent_mean[agent_of_week]) ** 2).sum())
    agent_squares = float((of_agent * (agent_mean - values.mean()) ** 2).sum())
    inside = float((of_week**2 / of_agent[agent_of_week]).sum())
    call = call_squares / (n - cells) if n > cells else 0.0
    week = 0.0
    if cells > groups:
        week = (week_squares / (cells - groups) - call) / ((n - inside) / (cells - groups))
        week = max(week, 0.0)
    if n == cells:  # one call a week: what weeks and calls differ by cannot be told apart
        call, week = week_squares / max(cells - groups, 1), 0.0
    weeks_in_agent = (inside - float((of_week**2).sum()) / n) / (groups - 1)
    calls_in_agent = (n - float((of_agent**2).sum()) / n) / (groups - 1)
    left = agent_squares / (groups - 1) - call - weeks_in_agent * week
    return Components(max(left / calls_in_agent, 0.0), week, call)


def _codes(names: Any) -> Codes:
    return np.asarray(names.factorize()[0], dtype=np.int64)


def _split_half(values: Array, agents: Codes, draw: Codes) -> float:
    """Return the correlation of agents' odd and even calls, stepped up; rows come agent by agent.

    An agent that is drawn twice counts once more, with the same means.
    """
    drawn, times = np.unique(agents[draw], return_counts=True)
    sizes = np.bincount(agents)
    odd, even, weight = [], [], []
    for agent, rows in zip(drawn, times, strict=True):
        own = values[agents == agent]
        if len(own) >= 2:
            odd.append(own[0::2].mean())
            even.append(own[1::2].mean())
            weight.append(rows / sizes[agent])
    if len(odd) < 3:
        return nan
    covariance = np.cov(odd, even, fweights=np.round(weight).astype(int))
    spread = float(np.sqrt(covariance[0, 0] * covariance[1, 1]))
    r = float(covariance[0, 1]) / spread if spread > 0 else nan
    return 2 * r / (1 + r) if r > -1 else nan


def _share(between: float, error: float) -> float:
    return between / (between + error) if between > 0 else 0.0


def _needed(between: float, noise: float, wanted: float) -> int | None:
    return None if between <= 0 else ceil(wanted / (1 - wanted) * noise / between)
