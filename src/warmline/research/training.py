"""What changed in the calls of trained agents, and not in those of untrained ones.

Difference in differences with agent and week effects. Where agents were trained on several days,
each day has a comparison of its own with the agents who were not trained around it, and the
comparisons are fitted together (stacked, Cengiz et al. 2019), because agents trained earlier are
no controls for those trained later (Goodman-Bacon 2021).

Who is chosen for training by a poor month rises afterwards by luck alone. So there is a second
estimate, in which trained and untrained agents start from the same level (the level before enters
as a covariate). If agents differ for good the first is right, if they were chosen by their level
the second is, and the truth lies between (Angrist & Pischke 2009, ch. 5.4): only where both are
clear of 0 is anything said to have changed.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from warmline.errors import DataError, QueryError
from warmline.research import Array, Codes, Design, Effects, design_matrix, usable
from warmline.research.associations import (
    LARGEST_LEVERAGE,
    LARGEST_SHARE,
    LEAST_WEEKS,
    corrected,
)
from warmline.research.regression import Coefficient, Fit, fit, t_interval
from warmline.research.reliability import Components, components
from warmline.research.sample import read_calls

_LEAST_AGENTS = 3
_BLOCK_WEEKS = 4
_DAYS = 7


@dataclass(frozen=True)
class Period:
    """Weeks `first` to `last` after the training (below 0: before it), against the weeks before.

    `difference` is that of trained and untrained agents, 0 by definition in the last weeks before.
    """

    first: int
    last: int
    difference: Coefficient | None


@dataclass(frozen=True)
class AgentChange:
    """One trained agent's change beyond that of untrained agents, as it is and drawn to the mean.

    `shrunken` allows for how much of the differences between agents is luck (empirical Bayes).
    """

    agent_id: str
    calls_before: int
    calls_after: int
    change: float
    shrunken: Coefficient


@dataclass(frozen=True)
class TrainingEffect:
    """The change in one measure with a training, in the measure's own unit.

    `change` is the difference in differences, `same_start` the same with the level before held
    equal, `trend_before` how much further trained agents moved each week before the training than
    untrained ones, which should be 0. With a `reason` nothing is said.
    """

    measure: str
    calls: int
    trained: int
    untrained: int
    change: Coefficient | None = None
    same_start: Coefficient | None = None
    trend_before: Coefficient | None = None
    periods: tuple[Period, ...] = ()
    agents: tuple[AgentChange, ...] = ()
    p: float | None = None
    p_corrected: float | None = None
    reason: str | None = None

    def is_clear(self, level: float) -> bool:
        """Return whether both estimates are clear of 0, on the same side, after the correction."""
        return self.p_corrected is not None and self.p_corrected < level


@dataclass(frozen=True)
class _Rows:
    """Calls of all comparisons: `week` counts from the training, `cell` is an agent in one."""

    frame: Any
    y: Array
    agent: Codes
    cell: Codes
    stack: Codes
    week: Codes
    is_trained: Array

    @property
    def is_after(self) -> Array:
        return (self.week >= 0).astype(np.float64)

    def where(self, rows: Any) -> "_Rows":
        return _Rows(
            self.frame[rows],
            self.y[rows],
            self.agent[rows],
            self.cell[rows],
            self.stack[rows],
            self.week[rows],
            self.is_trained[rows],
        )


def read_roster(path: Path) -> dict[str, date]:
    """Return when each agent was trained: a CSV with the columns `agent_id` and `date`.

    Raises DataError naming line and column of what is not as it should be.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as e:
        raise DataError(f"{path}: cannot be read: {e}") from e
    reader = csv.DictReader(lines)
    for column in ("agent_id", "date"):
        if column not in (reader.fieldnames or ()):
            raise DataError(f"{path}, line 1: there is no column {column}")
    found: dict[str, date] = {}
    for row in reader:
        where = f"{path}, line {reader.line_num}, column"
        agent = (row["agent_id"] or "").strip()
        if not agent:
            raise DataError(f"{where} agent_id: it is empty")
        if agent in found:
            raise DataError(
                f"{where} agent_id: {agent!r} is there already; give the first training"
            )
        try:
            found[agent] = date.fromisoformat((row["date"] or "").strip())
        except ValueError as e:
            raise DataError(f"{where} date: {row['date']!r} is not a day as 2026-03-31") from e
    if not found:
        raise DataError(f"{path}: nobody was trained by this file: it has no rows")
    return found


def read_training(
    warehouse: Path, trained: Mapping[str, date], design: Design, weeks: int
) -> list[TrainingEffect]:
    """Return what changed in each measure of a design with a training, from a warehouse.

    Raises QueryError for trained agents who have no call, naming some, and as `read_sample`.
    """
    frame = read_calls(warehouse, design)
    strangers = sorted(set(trained) - set(frame["agent_id"].dropna()))
    if strangers:
        raise QueryError(
            f"{len(strangers)} of {len(trained)} trained agents have no call here: "
            f"{', '.join(strangers[:3])}; where agents have pseudonyms `warmline key agent` says "
            "whose is which"
        )
    return training_effects(frame, trained, design, weeks)


def training_effects(
    frame: Any, trained: Mapping[str, date], design: Design, weeks: int = 12
) -> list[TrainingEffect]:
    """Return what changed in each measure, `weeks` before each training beside `weeks` after it.

    `frame` is a pandas frame of one row a call: `agent_id`, `started_at`, measures and controls.
    """
    found = [_effect(frame, measure, trained, design, weeks) for measure in design.measures]
    p_values = corrected([f.p for f in found], design.correction)
    return [replace(f, p_corrected=p) for f, p in zip(found, p_values, strict=True)]


def lead(found: Sequence[TrainingEffect], level: float) -> str:
    """Return the finding in a sentence or two that claim no more than there is."""
    told = [f for f in found if f.change is not None]
    if not told:
        return "Nothing can be said of the training: no measure has enough to go on (see below)."
    clear = [f for f in told if f.is_clear(level)]
    if not clear:
        return (
            f"In none of {len(told)} measures did trained agents clearly change more than the "
            "others over the same weeks. That does not prove that the training did nothing: see "
            "the intervals."
        )
    apart = [f.measure for f in clear if f.trend_before and f.trend_before.p < level]
    each = "; ".join(f"{f.measure} ({f.change.value:+.2g})" for f in clear if f.change)
    said = (
        f"In {len(clear)} of {len(told)} measures trained agents changed more than the others over "
        f"the same weeks: {each}."
    )
    if apart:
        said += f" But in {', '.join(apart)} they were already moving apart before the training."
    return said + " Anything else that began with the training cannot be told from it."


def _effect(
    frame: Any, measure: str, trained: Mapping[str, date], design: Design, weeks: int
) -> TrainingEffect:
    controls = usable(frame, tuple(c for c in design.controls if c != "month"))
    known = frame.dropna(subset=["agent_id", "started_at", measure, *controls.columns])
    rows = _stacked(known, measure, trained, weeks)
    is_trained = rows.is_trained > 0
    bare = TrainingEffect(
        measure,
        known.index.isin(rows.frame.index).sum().item(),
        len(np.unique(rows.agent[is_trained])),
        len(np.unique(rows.agent[~is_trained])),
    )
    if reason := _too_little(bare, rows, weeks):
        return replace(bare, reason=reason)
    others, names = design_matrix(rows.frame, controls.columns)
    main = _fit(rows, (rows.is_trained * rows.is_after)[:, None], others, ("training", *names))
    dominance = main.dominance("training")
    if dominance.share > LARGEST_SHARE or dominance.leverage > LARGEST_LEVERAGE:
        return replace(
            bare,
            reason=f"one agent decides {dominance.share:.0%} of the comparison: that says "
            "something about a person, and nothing about a training",
        )
    change = main.estimate("training", design.confidence)
    slopes = [main.params[main.names.index(n)] if n in main.names else 0.0 for n in names]
    adjusted = replace(rows, y=rows.y - others @ np.array(slopes)) if names else rows
    same_start = _same_start(adjusted, design.confidence)
    one_way = change.value * same_start.value > 0
    return replace(
        bare,
        change=change,
        same_start=same_start,
        trend_before=_trend_before(rows, others, names, design.confidence),
        periods=_periods(rows, others, names, weeks, design.confidence),
        agents=_agent_changes(adjusted, design.confidence),
        p=max(change.p, same_start.p) if one_way else 1.0,
    )


def _stacked(known: Any, measure: str, trained: Mapping[str, date], weeks: int) -> _Rows:
    """Return the calls around each day of training: of who was trained then, and of controls."""
    import pandas as pd

    parts = []
    day = known["started_at"].dt.tz_localize(None)
    training = known["agent_id"].map(trained)
    training = pd.to_datetime(training)
    for number, when in enumerate(sorted(set(trained.values()))):
        week = ((day - pd.Timestamp(when)).dt.days // _DAYS).to_numpy(np.int64)
        own = (training == pd.Timestamp(when)).to_numpy()
        later = pd.Timestamp(when) + pd.Timedelta(days=_DAYS * weeks)
        control = (training.isna() | (training >= later)).to_numpy()
        inside = (week >= -weeks) & (week < weeks) & (own | control)
        part = known[inside].assign(_stack=number, _week=week[inside], _trained=own[inside] * 1.0)
        sides = part.groupby("agent_id")["_week"].agg(["min", "max"])
        both = sides.index[(sides["min"] < 0) & (sides["max"] >= 0)]
        parts.append(part[part["agent_id"].isin(both)])
    rows = pd.concat(parts)
    cell = rows["agent_id"].astype(str) + " " + rows["_stack"].astype(str)

    def codes(values: Any) -> Codes:
        return np.asarray(values.factorize()[0], dtype=np.int64)

    return _Rows(
        rows,
        rows[measure].to_numpy(float),
        codes(rows["agent_id"]),
        codes(cell),
        rows["_stack"].to_numpy(np.int64),
        rows["_week"].to_numpy(np.int64),
        rows["_trained"].to_numpy(float),
    )


def _too_little(found: TrainingEffect, rows: _Rows, weeks: int) -> str | None:
    for count, kind in ((found.trained, "trained"), (found.untrained, "untrained")):
        if count < _LEAST_AGENTS:
            return (
                f"{count} {kind} agents have calls in the {weeks} weeks before and after; at least "
                f"{_LEAST_AGENTS} are needed to see how agents change by chance"
            )
    if np.ptp(rows.y) == 0:
        return f"it is {rows.y[0]:g} in all calls"
    return None


def _fit(rows: _Rows, x: Array, others: Array, names: tuple[str, ...]) -> Fit:
    """Fit with an effect of each agent and each week of a comparison, errors by agent and week."""
    weeks = np.unique(rows.stack * 10_000 + rows.week, return_inverse=True)[1].astype(np.int64)
    dummies = (weeks[:, None] == np.arange(1, int(weeks.max()) + 1)).astype(float)
    columns = np.column_stack([dummies, others, x])
    own = x.shape[1]
    ordered = (
        *(f"week {i}" for i in range(dummies.shape[1])),
        *names[own:],
        *names[:own],
    )
    calendar = np.unique(rows.frame["started_at"].dt.strftime("%G-%V"), return_inverse=True)[1]
    shared = (calendar.astype(np.int64),) if calendar.max() + 1 >= LEAST_WEEKS else ()
    return fit(rows.y, columns, ordered, rows.agent, Effects.FIXED, others=shared, groups=rows.cell)


def _same_start(rows: _Rows, confidence: float) -> Coefficient:
    """Return the difference after the training of agents who had the same mean before it."""
    cells = int(rows.cell.max()) + 1
    first = np.zeros(cells, dtype=np.int64)
    first[rows.cell] = np.arange(len(rows.cell))
    weeks = np.unique(rows.stack * 10_000 + rows.week, return_inverse=True)[1]
    level = rows.y - (np.bincount(weeks, rows.y) / np.bincount(weeks))[weeks]
    before, after = (
        np.bincount(rows.cell, level * side) / np.bincount(rows.cell, side)
        for side in (1 - rows.is_after, rows.is_after)
    )
    stacks = rows.stack[first]
    dummies = (stacks[:, None] == np.arange(1, int(stacks.max()) + 1)).astype(float)
    x = np.column_stack([dummies, before, rows.is_trained[first]])
    names = (*(f"stack {i}" for i in range(dummies.shape[1])), "before", "training")
    model = fit(after, x, names, rows.agent[first], Effects.NONE)
    return model.estimate("training", confidence)


def _trend_before(
    rows: _Rows, others: Array, names: tuple[str, ...], confidence: float
) -> Coefficient | None:
    """Return the difference of weekly slopes before the training; None with under three weeks."""
    early = rows.week < 0
    before = rows.where(early)
    if len(np.unique(before.week)) < 3:
        return None
    slope = (before.is_trained * before.week)[:, None]
    model = _fit(before, slope, others[early], ("trend", *names))
    return model.estimate("trend", confidence) if "trend" in model.names else None


def _periods(
    rows: _Rows, others: Array, names: tuple[str, ...], weeks: int, confidence: float
) -> tuple[Period, ...]:
    """Return the difference in each four weeks, against the last four before the training."""
    blocks = [b for b in range(-(weeks // _BLOCK_WEEKS), -(-weeks // _BLOCK_WEEKS)) if b != -1]
    own = rows.week // _BLOCK_WEEKS
    own = np.maximum(own, blocks[0] if blocks else -1)
    told = tuple(f"block {b}" for b in blocks)
    x = np.column_stack([(own == b) * rows.is_trained for b in blocks])
    model = _fit(rows, x, others, (*told, *names))
    return tuple(
        Period(
            b * _BLOCK_WEEKS,
            min((b + 1) * _BLOCK_WEEKS, weeks) - 1,
            model.estimate(name, confidence) if name in model.names else None,
        )
        for b, name in zip(blocks, told, strict=True)
    )


def _agent_changes(rows: _Rows, confidence: float) -> tuple[AgentChange, ...]:
    """Return each trained agent's change beyond that of controls, drawn towards their mean."""
    from statsmodels.stats.meta_analysis import combine_effects

    controls = rows.where(rows.is_trained == 0)
    cells = np.unique(rows.cell[rows.is_trained > 0])
    week_of = np.unique(rows.cell * 10_000 + rows.week, return_inverse=True)[1].astype(np.int64)
    side = np.unique(rows.cell * 2 + rows.is_after, return_inverse=True)[1].astype(np.int64)
    control_weeks = week_of[rows.is_trained == 0]
    parts = components(rows.y, side, week_of)
    changes, errors, drifts, counts = [], [], [], []
    for cell in cells:
        own = rows.cell == cell
        near = controls.stack == rows.stack[own][0]
        sides = [own & (rows.is_after == after) for after in (0.0, 1.0)]
        near_sides = [near & (controls.is_after == after) for after in (0.0, 1.0)]
        moved = rows.y[sides[1]].mean() - rows.y[sides[0]].mean()
        drift = controls.y[near_sides[1]].mean() - controls.y[near_sides[0]].mean()
        changes.append(moved - drift)
        errors.append(_noise(parts, sides, week_of))
        drifts.append(
            (_noise(parts, near_sides, control_weeks), len(np.unique(controls.agent[near])))
        )
        counts.append((int(sides[0].sum()), int(sides[1].sum())))
    change, variance = np.array(changes), np.maximum(np.array(errors), 1e-12)
    pooled = combine_effects(change, variance, method_re="iterated")
    between = max(float(pooled.tau2), 0.0)
    weights = 1 / (variance + between)
    mean, mean_variance = float(weights @ change / weights.sum()), float(1 / weights.sum())
    kept = between / (between + variance)
    names = rows.frame["agent_id"].to_numpy()
    found = []
    for i, cell in enumerate(cells):
        value = mean + kept[i] * (change[i] - mean)
        # Controls are few, too: what they drift by is a mean of as many changes.
        drift_variance = drifts[i][0] + between / drifts[i][1]
        own = kept[i] * variance[i] + (1 - kept[i]) ** 2 * mean_variance
        se = float(np.sqrt(own + drift_variance))
        df = float(len(cells) - 1)  # as for the mean of a few changes (Hartung & Knapp 2001)
        shrunken = Coefficient(value, se, df, *t_interval(value, se, df, confidence))
        agent = str(names[np.flatnonzero(rows.cell == cell)[0]])
        found.append(AgentChange(agent, *counts[i], float(change[i]), shrunken))
    return tuple(sorted(found, key=lambda a: a.agent_id))


def _noise(parts: Components, sides: Sequence[Any], week_of: Codes) -> float:
    """Return the variance by chance of a change between two sides, each a choice of rows."""
    return sum(
        parts.week / len(np.unique(week_of[own])) + parts.call / int(own.sum()) for own in sides
    )
