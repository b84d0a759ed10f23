"""Firms that never were, with what is true of them: nothing here knows how it is analyzed.

Plain numpy and no code of warmline, so that a fault of a model cannot be planted beside its truth.
Each world is made from a seed; `truth` is what a method should find in it, in the unit in which the
method tells it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]
DAY_S = 86_400


@dataclass(frozen=True)
class World:
    """Columns of rows that are alike long, and what is true."""

    columns: Columns
    truth: float


@dataclass(frozen=True)
class Firm:
    """Calls and outcomes as a warehouse has them; `truth` as of `World`."""

    calls: Columns
    outcomes: Columns
    truth: float


def outcomes_of_calls(
    seed: int,
    *,
    agents: int = 20,
    each: int = 60,
    effect: float = 0.0,
    confounding: float = 1.0,
    base: float = 0.6,
) -> World:
    """Return calls with an outcome of yes or no, and a measure that moves it by `effect` a unit.

    Agents' skill and customers' state move both by `confounding`; agents have unlike numbers of
    calls. `state` is what an analyst can hold equal.
    """
    random = np.random.default_rng(seed)
    sizes = random.poisson(each, agents) + 5
    agent = np.repeat(np.arange(agents), sizes)
    skill = random.normal(size=agents)[agent]
    state = random.poisson(1.0, len(agent)).astype(float)
    measure = confounding * (0.6 * skill - 0.5 * state) + random.normal(size=len(agent))
    chance = base + effect * measure + 0.06 * skill - 0.05 * (state - 1)
    outcome = random.random(len(agent)) < np.clip(chance, 0, 1)
    columns = {"agent": agent, "state": state, "measure": measure, "outcome": outcome * 1.0}
    return World(columns, effect)


def by_odds(seed: int, *, agents: int = 15, each: int = 60, odds: float = 0.0) -> World:
    """Return calls whose log odds of a good end rise by `odds` where the agent did the thing.

    Nine of ten calls end well. The truth is the change of the share, averaged over all calls.
    """
    random = np.random.default_rng(seed)
    agent = np.repeat(np.arange(agents), each)
    did = (random.random(len(agent)) < 0.4).astype(float)
    level = random.normal(2.0, 0.7, agents)[agent]
    outcome = random.random(len(agent)) < 1 / (1 + np.exp(-level - odds * did))
    with_it, without = 1 / (1 + np.exp(-level - odds)), 1 / (1 + np.exp(-level))
    columns = {"agent": agent, "measure": did, "outcome": outcome * 1.0}
    return World(columns, float(np.mean(with_it - without)))


def rare_counts(seed: int, *, agents: int = 8, each: int = 60, showing: int = 1) -> World:
    """Return calls with a count that few agents alone ever show, and that does nothing."""
    random = np.random.default_rng(seed)
    agent = np.repeat(np.arange(agents), each)
    own = (agent < showing) * random.poisson(0.3, len(agent))
    drift = 0.05 * random.normal(size=agents)[agent]
    outcome = random.random(len(agent)) < 0.6 + drift
    columns = {"agent": agent, "measure": own.astype(float), "outcome": outcome * 1.0}
    return World(columns, 0.0)


def shared_customers(seed: int, *, agents: int = 20, customers: int = 300) -> World:
    """Return four calls of each customer with whoever is free; customers differ in both."""
    random = np.random.default_rng(seed)
    customer = np.repeat(np.arange(customers), 4)
    kind = random.normal(size=customers)[customer]
    other = random.normal(size=customers)[customer]
    columns = {
        "agent": random.integers(0, agents, len(customer)),
        "customer": customer,
        "measure": kind + 0.5 * random.normal(size=len(customer)),
        "outcome": other + 0.5 * random.normal(size=len(customer)),
    }
    return World(columns, 0.0)


def shared_weeks(seed: int, *, agents: int = 20, weeks: int = 26) -> World:
    """Return calls of which each week has a level of its own in measure and outcome, both luck."""
    random = np.random.default_rng(seed)
    week = np.tile(np.arange(weeks), agents * 2)
    agent = np.repeat(np.arange(agents), weeks * 2)
    columns = {
        "agent": agent,
        "week": week,
        "measure": random.normal(size=weeks)[week] + random.normal(size=len(week)),
        "outcome": random.normal(size=weeks)[week] + random.normal(size=len(week)),
    }
    return World(columns, 0.0)


def retention(
    seed: int,
    *,
    effect: float = 0.0,
    trend: float = 0.0,
    cancels: bool = False,
    several: bool = False,
    follows: bool = True,
    agents: int = 16,
    customers: int = 700,
) -> Firm:
    """Return a firm whose customers leave within 90 days of a call less by `effect` where answered.

    The answered share of a call is 0 to 1; answering all instead of nothing keeps `effect` more.
    With a `trend`, both answering and staying change over the half year. With `cancels`, who leaves
    calls on the last day to say so, and is answered little. With `several`, customers call up to
    four times, sooner when they are about to leave. Without `follows`, what became of customers is
    known of half of them only until some day.
    """
    random = np.random.default_rng(seed)
    n = customers
    start = random.uniform(0, 180, n)
    season = trend * (start / 180 - 0.5)
    skill = random.normal(size=agents)
    agent = random.integers(0, agents, n)
    share = np.clip(0.5 + 0.12 * skill[agent] + season + 0.22 * random.normal(size=n), 0, 1)
    leaves = random.random(n) < np.clip(0.3 - effect * (share - 0.5) - season, 0.02, 0.9)
    after = random.uniform(8, 90, n)
    left = np.where(leaves, start + after, np.inf)
    seen = start + np.where(follows | (random.random(n) < 0.5), 130, random.uniform(10, 130, n))
    lost = leaves & (seen < left)
    customer, when, agent_of, shares = [np.arange(n)], [start], [agent], [share]
    if several:
        for _ in range(3):
            calls = random.random(n) < np.where(leaves, 0.7, 0.35)
            gap = np.where(leaves, random.uniform(0, 1, n) * after, random.uniform(0, 120, n))
            customer.append(np.flatnonzero(calls))
            when.append((start + gap)[calls])
            agent_of.append(random.integers(0, agents, n)[calls])
            own = 0.5 + 0.12 * skill[agent_of[-1]] + 0.22 * random.normal(size=calls.sum())
            shares.append(np.clip(own, 0, 1))
    if cancels:
        goes = np.flatnonzero(leaves)
        customer.append(goes)
        when.append(left[goes] - 0.01)
        agent_of.append(random.integers(0, agents, len(goes)))
        shares.append(np.clip(0.2 + 0.2 * random.normal(size=len(goes)), 0, 1))
    calls = {
        "customer": np.concatenate(customer),
        "agent": np.concatenate(agent_of),
        "day": np.concatenate(when),
        "share": np.concatenate(shares),
    }
    gone = leaves & ~lost
    outcomes = {"customer": np.arange(n), "value": 1.0 - gone, "day": np.where(gone, left, seen)}
    return Firm(calls, outcomes, effect)


def hazards(seed: int, *, log_ratio: float = 0.0, agents: int = 12, customers: int = 300) -> World:
    """Return follow-ups of calls; customers who are about to leave call again sooner.

    `measure` moves the log hazard of leaving after a customer's first call; further calls, with
    another agent, have a measure that does nothing.
    """
    random = np.random.default_rng(seed)
    agent = random.integers(0, agents, customers)
    measure = random.normal(size=customers)
    base = 0.3 * random.normal(size=agents)[agent]
    leaves = random.exponential(80 / np.exp(log_ratio * measure + base))
    ends = random.uniform(30, 120, customers)
    columns = {"customer": np.arange(customers), "agent": agent, "measure": measure}
    columns |= {"days": np.minimum(leaves, ends), "left": (leaves < ends) * 1.0}
    if log_ratio:
        return World(columns, log_ratio)
    again = random.random(customers) < np.where(leaves < ends, 0.8, 0.4)
    gap = np.where(leaves < ends, 0.6, 0.3)[again] * columns["days"][again]
    second = {
        "customer": np.flatnonzero(again),
        "agent": random.integers(0, agents, again.sum()),
        "measure": 0.7 * measure[again] + random.normal(size=again.sum()),
        "days": columns["days"][again] - gap,
        "left": columns["left"][again],
    }
    return World({k: np.concatenate([columns[k], second[k]]) for k in columns}, 0.0)


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
    agents: int = 20,
    each: int = 150,
) -> Listened:
    """Return calls of which the ledger finds half of the feelings and errs about their answers.

    A customer all of whose feelings are answered stays by `effect` more often than one of whom none
    is. One turn in five shows a feeling; one in fifty of the others is flagged.
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
    flagged = random.random(total) < np.where(felt, recall, 0.02)
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


def means_of_agents(
    seed: int,
    *,
    agent_sd: float,
    week_sd: float,
    call_sd: float,
    agents: int = 25,
    weeks: int = 12,
) -> World:
    """Return calls whose measure differs by agents, weeks of agents and calls; the truth is Var."""
    random = np.random.default_rng(seed)
    counts = random.integers(3, 15, (agents, weeks))
    agent = np.repeat(np.repeat(np.arange(agents), weeks), counts.ravel())
    week = np.repeat(np.tile(np.arange(weeks), agents), counts.ravel())
    level = agent_sd * random.normal(size=agents)[agent]
    level = level + week_sd * random.normal(size=(agents, weeks))[agent, week]
    values = 1 + level + call_sd * random.normal(size=len(agent))
    return World({"agent": agent, "week": week, "measure": values}, agent_sd**2)


def alike_agents(seed: int, *, agents: int = 30, weeks: int = 12, each: int = 8) -> World:
    """Return calls with cues and answers of agents who are all alike; calls differ from each other.

    Half of the differences between calls is the call's own, so that cues of one call are alike.
    """
    random = np.random.default_rng(seed)
    n = agents * weeks * each
    cues = random.poisson(2.0, n)
    chance = random.beta(2.0, 2.0, n)
    return World(
        {
            "agent": np.repeat(np.arange(agents), weeks * each),
            "week": np.tile(np.repeat(np.arange(weeks), each), agents),
            "cues": cues.astype(float),
            "answered": random.binomial(cues, chance).astype(float),
        },
        0.0,
    )


def trained(
    seed: int,
    *,
    effect: float = 0.0,
    pick: str = "any",
    agents: int = 18,
    count: int = 6,
    weeks: int = 8,
) -> World:
    """Return calls of `weeks` weeks before and after a training of `count` agents.

    Everybody gets better by the week. `pick` says who is trained: `any`, the `lowest` before, or
    the `good` (who are better for good). `trained` and `week` (from the training) are columns.
    """
    random = np.random.default_rng(seed)
    each = 4
    agent = np.repeat(np.arange(agents), 2 * weeks * each)
    week = np.tile(np.repeat(np.arange(2 * weeks) - weeks, each), agents)
    own = 0.06 * random.normal(size=agents)
    level = 0.4 + own[agent] + 0.01 * week
    level = level + 0.04 * random.normal(size=(agents, 2 * weeks))[agent, week + weeks]
    values = level + 0.4 * random.normal(size=len(agent))
    before = np.bincount(agent, values * (week < 0))
    order = {"any": random.random(agents), "lowest": before, "good": -own}[pick]
    is_trained = np.isin(agent, np.argsort(order)[:count])
    values = values + effect * is_trained * (week >= 0)
    columns = {"agent": agent, "week": week, "measure": values, "trained": is_trained}
    return World(columns, effect)


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
