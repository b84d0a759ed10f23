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


def uneven_agents(
    seed: int, *, agents: int, effect: float = 0.0, each: int = 60, weeks: int = 20
) -> World:
    """Return calls of agents of whom some take many more calls, and vary more, than others.

    The outcome is yes or no; `effect` a unit of the measure. The customer's `state` moves both,
    and weeks have levels of their own in the outcome.
    """
    random = np.random.default_rng(seed)
    sizes = np.maximum(8, (each * random.lognormal(-0.08, 0.4, agents)).astype(int))
    agent = np.repeat(np.arange(agents), sizes)
    spread = random.uniform(0.7, 1.3, agents)[agent]
    level = 0.5 * random.normal(size=agents)[agent]
    state = random.poisson(1.0, len(agent)).astype(float)
    week = random.integers(0, weeks, len(agent))
    measure = level - 0.4 * state + spread * random.normal(size=len(agent))
    chance = 0.62 + effect * measure - 0.06 * (state - 1)
    chance = chance + 0.08 * random.normal(size=agents)[agent]
    chance = chance + 0.03 * random.normal(size=weeks)[week]
    outcome = random.random(len(agent)) < np.clip(chance, 0.02, 0.98)
    columns = {"agent": agent, "week": week, "state": state, "measure": measure}
    return World(columns | {"outcome": outcome * 1.0}, effect)


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


def alike_agents(
    seed: int, *, rate: float = 0.5, agents: int = 30, weeks: int = 12, each: int = 8
) -> World:
    """Return calls with cues and answers of agents who are all alike; calls differ from each other.

    `rate` of the cues are answered. Half of the differences between calls is the call's own, so
    that cues of one call are alike.
    """
    random = np.random.default_rng(seed)
    n = agents * weeks * each
    cues = random.poisson(2.0, n)
    chance = random.beta(4.0 * rate, 4.0 * (1.0 - rate), n)
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
class Cued:
    """Calls with an outcome, and their cues: kind, answer, position; the truth of each pair.

    `truth` is of a kind and an answer, `times` of answering at all, by third of the call.
    """

    calls: Columns
    cues: Columns
    truth: Mapping[tuple[str, str], float]
    times: Mapping[int, float]


def answers_to_feelings(
    seed: int, *, effects: bool = False, agents: int = 20, each: int = 80
) -> Cued:
    """Return calls of which the outcome depends on how each kind of feeling was answered.

    With `effects`, an affective answer to fear helps and one to anger harms, and the last third of
    a call changes nothing of that. Without, no answer does anything; skilled agents answer more
    and keep more customers.
    """
    random = np.random.default_rng(seed)
    n = agents * each
    skill = random.normal(size=agents)
    agent = np.repeat(np.arange(agents), each)
    count = 1 + random.poisson(1.0, n)
    call = np.repeat(np.arange(n), count)
    kind = random.choice(["fear", "anger"], len(call), p=[0.5, 0.5])
    answers = random.random(len(call)) < 0.5 + 0.1 * skill[agent[call]]
    how = np.where(random.random(len(call)) < 0.5, "affective", "cognitive")
    answer = np.where(answers, how, "ignored")
    truth = {(k, a): 0.0 for k in ("fear", "anger") for a in ("affective", "cognitive")}
    if effects:
        truth |= {("fear", "affective"): 0.25, ("anger", "affective"): -0.2}
    gain = np.array([truth.get((k, a), 0.0) for k, a in zip(kind, answer, strict=True)])
    chance = 0.55 + np.bincount(call, gain, n) / count + 0.08 * skill[agent]
    stays = random.random(n) < np.clip(chance, 0, 1)
    cues = {"call": call, "kind": kind, "answer": answer, "position": random.random(len(call))}
    mean = float(np.mean(list(truth.values())))
    calls = {"agent": agent, "outcome": stays * 1.0}
    return Cued(calls, cues, truth, dict.fromkeys(range(3), mean))


def early_and_late(seed: int, *, agents: int = 20, each: int = 80) -> Cued:
    """Return calls in which an answer helps in the first third and harms in the last."""
    made = answers_to_feelings(seed, agents=agents, each=each)
    random = np.random.default_rng(seed + 50_000)
    times = {0: 0.25, 1: 0.0, 2: -0.25}
    third = np.minimum((made.cues["position"] * 3).astype(int), 2)
    answered = made.cues["answer"] != "ignored"
    n = len(made.calls["agent"])
    gain = np.where(answered, np.array([times[t] for t in third]), 0.0)
    count = np.bincount(made.cues["call"], minlength=n)
    chance = 0.55 + np.bincount(made.cues["call"], gain, n) / count
    calls = {**made.calls, "outcome": (random.random(n) < chance) * 1.0}
    return Cued(calls, made.cues, {}, times)


def recontacts(
    seed: int,
    *,
    log_ratio: float = 0.0,
    upset: bool = False,
    customers: int = 500,
    agents: int = 10,
) -> World:
    """Return calls of customers whose hazard of leaving follows the latest of their calls.

    What an agent does in a call moves the log hazard by `log_ratio` a unit, from a week after the
    call until a week after the next. The export begins on day 60: who left before is not in it, and
    earlier calls are not. With `upset`, who is about to leave calls more often.
    """
    random = np.random.default_rng(seed)
    base = 0.3 * random.normal(size=agents)
    columns: dict[str, list[float]] = {
        name: [] for name in ("customer", "agent", "measure", "day", "days", "left")
    }
    for customer in range(customers):
        temper = 0.6 * random.normal() if upset else 0.0
        count = random.poisson(240 / 45 * np.exp(temper))
        days = np.sort(random.uniform(0, 240, count))
        agent = random.integers(0, agents, count)
        measure = random.normal(size=count)
        level = -5.7 + temper + np.concatenate([[0.0], log_ratio * measure + base[agent]])
        edges = np.concatenate([[0.0], days + 7, [np.inf]])
        need, leaves = random.exponential(), np.inf
        for low, high, log_hazard in zip(edges[:-1], edges[1:], level, strict=True):
            if need < (high - low) * np.exp(log_hazard):
                leaves = low + need / np.exp(log_hazard)
                break
            need -= (high - low) * np.exp(log_hazard)
        end = min(leaves, 240.0)
        for place in np.flatnonzero((days >= 60) & (days + 7 < end)):
            values = (customer, agent[place], measure[place], days[place])
            for name, value in zip(
                columns, (*values, end - days[place] - 7, leaves < 240), strict=True
            ):
                columns[name].append(float(value))
    made = {name: np.array(values) for name, values in columns.items()}
    made |= {name: made[name].astype(np.int64) for name in ("customer", "agent")}
    return World(made, log_ratio)


def unanswered_surveys(seed: int, *, effect: float = 0.5, agents: int = 20) -> World:
    """Return calls with a rating that upset customers seldom give, and in which they gain less.

    Calm customers gain `effect` a unit, upset ones nothing; half are upset. The truth is the mean
    over all calls; `outcome` is NaN where nobody answered.
    """
    random = np.random.default_rng(seed)
    agent = np.repeat(np.arange(agents), 100)
    upset = random.random(len(agent)) < 0.5
    measure = random.normal(size=len(agent))
    rating = 6 + np.where(upset, 0.0, effect) * measure - upset + random.normal(size=len(agent))
    rating = rating + 0.5 * random.normal(size=agents)[agent]
    gave = random.random(len(agent)) < np.where(upset, 0.15, 0.7)
    columns = {"agent": agent, "state": upset * 1.0, "measure": measure}
    return World(columns | {"outcome": np.where(gave, rating, np.nan)}, effect / 2)


def lost_to_follow_up(seed: int, *, worst: bool = False, agents: int = 20) -> World:
    """Return calls with a rating that comes more often where the agent did more of something.

    Doing it adds 0.4. Who rates only because of it is less content than others; in the `worst` case
    how content somebody is alone says who rates, and nothing else moves the rating.
    """
    random = np.random.default_rng(seed)
    agent = np.repeat(np.arange(agents), 80)
    measure = random.normal(size=len(agent)) + 0.3 * random.normal(size=agents)[agent]
    did = measure > np.median(measure)
    content = random.normal(size=len(agent))
    rating = 6 + 0.4 * did + content + (0.0 if worst else 1.0) * random.normal(size=len(agent))
    rates = content + 0.5 * did + (0.0 if worst else 0.5) * random.normal(size=len(agent)) > 0
    columns = {"agent": agent, "measure": measure, "state": 1.0 * (random.random(len(agent)) < 0.5)}
    return World(columns | {"outcome": np.where(rates, rating, np.nan)}, 0.4)


def lost_alike(seed: int, *, apart: float = 0.0, agents: int = 20) -> World:
    """Return calls of which half have an outcome; their customers' state lies so far `apart`."""
    random = np.random.default_rng(seed)
    agent = np.repeat(np.arange(agents), 60)
    told = random.random(len(agent)) < 0.5
    state = random.normal(size=len(agent)) + apart * told
    outcome = np.where(told, random.normal(size=len(agent)), np.nan)
    columns = {"agent": agent, "state": state, "measure": random.normal(size=len(agent))}
    return World(columns | {"outcome": outcome}, apart)


def skilled_agents(seed: int, *, skill: float = 0.0, agents: int = 20, each: int = 60) -> World:
    """Return calls in which a measure moves the outcome by 0.2, and agents' `skill` both."""
    random = np.random.default_rng(seed)
    agent = np.repeat(np.arange(agents), each)
    own, other = random.normal(size=agents)[agent], random.normal(size=agents)[agent]
    measure = 0.5 * own + random.normal(size=len(agent))
    outcome = 0.2 * measure + skill * own + 0.5 * other + random.normal(size=len(agent))
    return World({"agent": agent, "measure": measure, "outcome": outcome}, 0.2)


@dataclass(frozen=True)
class Mixed:
    """Calls of agents whose matters differ; `own` is what each agent adds, less the mean."""

    calls: Columns
    own: NDArray[np.float64]


def unlike_queues(seed: int, *, agent_sd: float, agents: int = 20, each: int = 120) -> Mixed:
    """Return calls of which half of the agents take nearly all complaints, which go worse."""
    random = np.random.default_rng(seed)
    own = agent_sd * random.normal(size=agents)
    agent = np.repeat(np.arange(agents), each)
    complains = random.random(len(agent)) < np.where(agent < agents // 2, 0.8, 0.2)
    values = 0.6 + own[agent] - 0.3 * complains + 0.3 * random.normal(size=len(agent))
    week = np.tile(np.arange(each) // 10, agents)
    reason = np.where(complains, "complaint", "order")
    return Mixed({"agent": agent, "week": week, "reason": reason, "measure": values}, own)


def weeks_and_reasons(seed: int, *, agents: int = 25, weeks: int = 16, each: int = 5) -> Mixed:
    """Return calls that differ by agent, week, matter, and agents by week and by matter.

    Standard deviations 0.3, 0.2, 0.3, 0.2, 0.2; of calls 1. `own` is what each agent adds.
    """
    random = np.random.default_rng(seed)
    n = agents * weeks * each
    agent, week = (
        np.repeat(np.arange(agents), weeks * each),
        np.tile(np.arange(weeks), agents * each),
    )
    reason = random.integers(0, 6, n)
    own = 0.3 * random.normal(size=agents)
    values = own[agent] + 0.2 * random.normal(size=weeks)[week]
    values = values + 0.3 * random.normal(size=6)[reason]
    values = values + 0.2 * random.normal(size=(agents, weeks))[agent, week]
    values = values + 0.2 * random.normal(size=(agents, 6))[agent, reason]
    values = values + random.normal(size=n)
    names = np.array([f"reason {r}" for r in reason])
    return Mixed({"agent": agent, "week": week, "reason": names, "measure": values}, own)
