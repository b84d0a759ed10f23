"""What agents differ by: how much of it is theirs, and how they compare as their calls are.

Variance components of agents, weeks, reasons of calls, and of agents in these, by products of pairs
of calls (Haseman & Elston 1972; Rao's MINQUE with weights of 0), and from them the reliability of
an agent's mean: the G and Phi coefficients of Cronbach et al. 1972, agents being what is measured.

An agent who takes the complaints answers other calls than one who takes the orders. What is to be
expected of an agent's calls is told by their reason, queue, month and language, by slopes within
agents, so that what agents themselves do is not taken for a matter of their queue. What was
observed over that is drawn towards 0 by its reliability (a random effect of the agent); where that
is below 0.7 agents are not ranked, because most of what they differ by is luck.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, nan, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from warmline.annotation import Label, is_answered
from warmline.research import Array, Codes, Design, Effects, design_matrix, usable
from warmline.research.fairness import Gap, read_gaps
from warmline.research.regression import fit, independent_columns
from warmline.research.sample import read_calls
from warmline.statistics import Estimate, bootstrap

_LEAST_AGENTS = 5
_LEAST_CALLS = 30
# A variance below this share of all is what rounding leaves.
_NOTHING = 1e-9
#: Reliabilities for which the number of calls is said: fit to rank by, and to judge one person by.
WANTED = (0.7, 0.8)


@dataclass(frozen=True)
class Components:
    """Variances: between agents, between the weeks of an agent, between calls of a week."""

    agent: float
    week: float
    call: float


@dataclass(frozen=True)
class Crossed:
    """Variances of calls: between agents, weeks and reasons, of agents in these, and of the rest.

    What cannot be told apart in the calls is 0 and stands in what it cannot be told from.
    """

    agent: float
    week: float
    reason: float
    agent_week: float
    agent_reason: float
    call: float


@dataclass(frozen=True)
class Reliability:
    """The reliability of agents' means in one measure.

    `g` (0..1) is the reliability of an agent's mean over `calls_per_agent` (harmonic mean) calls
    beside others in the same weeks and matters, `phi` that of the mean as it stands, whatever weeks
    and matters it is of; `split_half` the correlation of agents' means over odd and over even
    calls, stepped up to all calls (Spearman 1910), with its interval over agents. `needed` is how
    many calls an agent's mean takes for a `g` of each of `WANTED`, weeks as busy and matters as
    mixed as now; None where no number is enough. With a `reason` nothing is said.
    """

    measure: str
    calls: int
    agents: int
    components: Crossed | None = None
    calls_per_agent: float | None = None
    g: float | None = None
    phi: float | None = None
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
    factors = _factors(rows, agents)
    found = Crossed(**crossed(values, factors))
    counts = np.bincount(agents)
    worth = {name: _concentration(agents, codes) for name, codes in factors.items()}
    of_calls = float((1 / counts).mean())
    fixed = found.agent_reason * worth["agent_reason"]
    relative = found.agent_week * worth["agent_week"] + fixed + found.call * of_calls
    absolute = relative + found.week * worth["week"] + found.reason * worth["reason"]
    noise = found.agent_week * worth["agent_week"] / of_calls + found.call
    stepped_up = _split_half(values, agents)
    half = bootstrap(
        lambda draw: stepped_up(np.bincount(draw, minlength=count)), range(count), seed=1
    )
    return Reliability(
        measure,
        n,
        count,
        found,
        1 / of_calls,
        _share(found.agent, relative),
        _share(found.agent, absolute),
        half.value if half else None,
        half.low if half else None,
        half.high if half else None,
        tuple(_needed(found.agent, noise, fixed, wanted) for wanted in WANTED),
    )


def _factors(rows: Any, agents: Codes) -> dict[str, Codes]:
    """Return the groups of calls that `Crossed` has a variance of; no reason is one of its own."""
    week = _codes(rows["started_at"].dt.strftime("%G-%V"))
    reason = np.zeros_like(agents)
    if "contact_reason" in rows:
        reason = _codes(rows["contact_reason"].astype(object).fillna("unknown"))
    return {
        "agent": agents,
        "week": week,
        "reason": reason,
        "agent_week": _both(agents, week),
        "agent_reason": _both(agents, reason),
    }


def crossed(values: Array, factors: Mapping[str, Codes], rest: str = "call") -> dict[str, float]:
    """Return the variance that each factor adds, and under the name `rest` that of what is left.

    The mean product of two values that share a factor exceeds that of two that share nothing by the
    factor's variance: products of all pairs are fitted by what the pair shares. `factors` number
    the groups of `values` (n,). A variance that is not above 0 (or above what rounding leaves) is
    0, and the others are fitted without it.
    """
    left = values - values.mean()
    n, squares = len(left), float(left @ left)
    groups = {"": np.zeros(n, dtype=np.int64)} | dict(factors)
    pairs = {
        (a, b): float((np.bincount(_both(groups[a], groups[b])).astype(float) ** 2).sum()) - n
        for a in groups
        for b in groups
    }
    products = {
        name: float((np.bincount(codes, left) ** 2).sum()) - squares
        for name, codes in groups.items()
    }
    kept = list(groups)
    while True:
        table = np.array([[pairs[a, b] for b in kept] for a in kept])
        scale = np.sqrt(np.maximum(np.diag(table), 1.0))
        kept = [kept[i] for i in independent_columns(table / scale[:, None] / scale)]
        table = np.array([[pairs[a, b] for b in kept] for a in kept])
        found = dict(
            zip(kept, np.linalg.solve(table, [products[a] for a in kept]).tolist(), strict=True)
        )
        lowest = min((name for name in kept if name), key=lambda name: found[name], default="")
        if not lowest or found[lowest] > _NOTHING * squares / n:
            break
        kept.remove(lowest)
    total = squares / n - sum(found.values())
    return {name: found.get(name, 0.0) for name in factors} | {rest: max(total, 0.0)}


def _both(first: Codes, second: Codes) -> Codes:
    """Return numbers of the groups that are alike in both."""
    joined = first * (int(second.max()) + 1) + second
    codes: Codes = np.unique(joined, return_inverse=True)[1].astype(np.int64)
    return codes


def _concentration(agents: Codes, groups: Codes) -> float:
    """Return the mean, over agents, of the squared shares of their calls in each group."""
    pairs = _both(agents, groups)
    of_pair = np.bincount(pairs).astype(float)
    agent_of = np.zeros(len(of_pair), dtype=np.int64)
    agent_of[pairs] = agents
    counts = np.bincount(agents)
    return float((np.bincount(agent_of, of_pair**2) / counts**2).mean())


@dataclass(frozen=True)
class Raters:
    """How far labels of turns depend on who labels, on one question (`a feeling` or `answered`).

    `turn`, `rater` and `rest` are variances of labels of 0 and 1: turns differ, some people see
    more than others, and what is left is of one person and one turn. `phi` (0..1) is the
    reliability of one person's label, `needed` how many people's mean it takes for each of
    `WANTED`; None where no number is enough. Of the turns on the sheet, which hold more feelings
    than calls do.
    """

    question: str
    turns: int
    raters: int
    turn: float
    rater: float
    rest: float
    phi: float
    needed: tuple[int | None, ...]


def rater_components(sheets: Sequence[Mapping[str, Label]]) -> list[Raters]:
    """Return the part of raters in labels of the same turns; nothing of fewer than 30 turns."""
    found = []
    for question in ("a feeling", "answered"):
        said = [
            (item, person, float(value))
            for person, sheet in enumerate(sheets)
            for item, label in sheet.items()
            for value in (label.is_cue if question == "a feeling" else is_answered(label.answer),)
            if value is not None
        ]
        items, people = [item for item, _, _ in said], [person for _, person, _ in said]
        several = {item for item, times in Counter(items).items() if times > 1}
        if len(several) < _LEAST_CALLS:
            continue
        rows = [i for i, item in enumerate(items) if item in several]
        turn = np.unique([items[i] for i in rows], return_inverse=True)[1].astype(np.int64)
        rater = np.unique([people[i] for i in rows], return_inverse=True)[1].astype(np.int64)
        values = np.array([said[i][2] for i in rows])
        parts = crossed(values, {"turn": turn, "rater": rater}, "rest")
        noise = parts["rater"] + parts["rest"]
        found.append(
            Raters(
                question,
                len(several),
                int(rater.max()) + 1,
                parts["turn"],
                parts["rater"],
                parts["rest"],
                _share(parts["turn"], noise),
                tuple(_needed(parts["turn"], noise, 0.0, wanted) for wanted in WANTED),
            )
        )
    return found


def components(values: Array, agents: Codes, weeks: Codes) -> Components:
    """Return the variance components of calls within weeks within agents; below 0 they are 0.

    By analysis of variance for unequal numbers (Searle 1971, ch. 11).

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


def _split_half(values: Array, agents: Codes) -> Callable[[Codes], float]:
    """Return the stepped-up correlation of agents' odd and even calls, of agents that are drawn.

    An agent that is drawn twice counts once more, with the same means.
    """
    order = np.argsort(agents, kind="stable")
    sizes = np.bincount(agents)
    place = np.arange(len(agents)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    odd, even = (
        np.bincount(agents[order], values[order] * half) / np.bincount(agents[order], half)
        for half in ((place % 2 == 0) * 1.0, (place % 2 == 1) * 1.0)
    )

    def stepped_up(draw: Codes) -> float:
        if (draw > 0).sum() < 3:
            return nan
        covariance = np.cov(odd, even, fweights=draw)
        spread = float(np.sqrt(covariance[0, 0] * covariance[1, 1]))
        r = float(covariance[0, 1]) / spread if spread > 0 else nan
        return 2 * r / (1 + r) if r > -1 else nan

    return stepped_up


def _share(between: float, error: float) -> float:
    return between / (between + error) if between > 0 else 0.0


def _needed(between: float, noise: float, fixed: float, wanted: float) -> int | None:
    """Return how many times `noise` must be shared out beside what stays (`fixed`)."""
    room = between * (1 - wanted) / wanted - fixed
    return None if room <= 0 else ceil(noise / room)


# Agents beside each other, as their calls are: what was observed over what was to be expected.


CONTROLS = ("contact_reason", "queue", "month", "language", "duration")
#: Below this reliability agents are not ranked.
_LEAST_RELIABLE = 0.7
_Z = 1.959964


@dataclass(frozen=True)
class Compared:
    """One agent: means per call, what such calls have on average, and what is left.

    `difference` is observed less expected, `own` the same drawn towards 0 by `reliability` (0..1),
    with an interval that allows for how little few agents say of their differences (Morris 1983);
    of values within 0..1 it ends where a mean would leave these.
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
    is_ranked = overall >= _LEAST_RELIABLE
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
    is_share = y.min() >= 0 and y.max() <= 1
    found = []
    for i, name in enumerate(names):
        kept = parts.agent / (parts.agent + noise[i]) if parts.agent > 0 else 0.0
        own = kept * float(means[2][i])
        uneven = float(np.mean(parts.agent + noise) / max(parts.agent + noise[i], _NOTHING))
        se = _shrunken_error(float(means[2][i]), float(noise[i]), float(kept), len(names), uneven)
        low, high = own - _Z * se, own + _Z * se
        if is_share:
            low, high = max(low, min(own, -means[1][i])), min(high, max(own, 1 - means[1][i]))
        found.append(
            Compared(
                str(name),
                int(counts[i]),
                float(means[0][i]),
                float(means[1][i]),
                float(means[2][i]),
                Estimate(float(own), float(low), float(high), int(counts[i])),
                float(kept),
            )
        )
    return found


def _shrunken_error(left: float, noise: float, kept: float, agents: int, uneven: float) -> float:
    """Return the standard error of a difference that was drawn towards 0 (Morris 1983).

    How far agents differ is itself a guess, of few agents a poor one: where it comes out as 0, an
    agent's own is 0 and not surely so. `uneven` is the mean variance of agents' differences over
    this agent's.
    """
    lost = (agents - 3) / (agents - 1) * (1 - kept)
    guessed = 2 / (agents - 3) * lost**2 * uneven * left**2
    return sqrt(noise * (1 - (agents - 1) / agents * lost) + guessed)
