"""What agents' means are worth, and what a training changed: a replicate each."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from warmline.research.reliability import case_mix, reliability
from warmline.research.training import training_effects

from . import worlds
from .tries import DESIGN, MONDAY, Try, frame_of, of_estimate


def reliabilities(seed: int, **given: Any) -> Iterator[Try]:
    """What an agent's mean is worth."""
    world = worlds.means_of_agents(seed, **given)
    found = reliability(frame_of(world.columns), "measure")
    if found.components is None:
        yield Try("variance between agents", world.truth, refused=True)
        return
    yield Try("variance between agents", world.truth, found.components.agent)
    yield Try(
        "variance between an agent's weeks", given["week_sd"] ** 2, found.components.agent_week
    )
    yield Try("variance between calls", given["call_sd"] ** 2, found.components.call)
    counts = np.bincount(world.columns["agent"])
    pairs = np.bincount(world.columns["agent"] * 100 + world.columns["week"])
    weeks_worth = np.array(
        [(pairs[a * 100 : (a + 1) * 100] ** 2).sum() / n**2 for a, n in enumerate(counts)]
    )
    of_weeks, of_calls = given["week_sd"] ** 2 * weeks_worth, given["call_sd"] ** 2 / counts
    kept = world.truth / (world.truth + of_weeks + of_calls)
    yield Try("reliability", float(kept.mean()), found.g)
    if found.split_half is not None:
        # Odd and even calls are of the same weeks: what these differ by counts as the agent's.
        halves = (world.truth + of_weeks) / (world.truth + of_weeks + of_calls)
        low, high = found.split_half_low, found.split_half_high
        yield Try("split half", float(halves.mean()), found.split_half, low, high)


def crossed(seed: int) -> Iterator[Try]:
    """Variances of agents, weeks and matters that cross each other."""
    made = worlds.weeks_and_reasons(seed)
    found = reliability(frame_of(made.calls), "measure").components
    if found is None:
        yield Try("agent", 0.09, refused=True)
        return
    planted = {"agent": 0.3, "week": 0.2, "reason": 0.3, "agent_week": 0.2, "agent_reason": 0.2}
    for name, sd in {**planted, "call": 1.0}.items():
        yield Try(f"variance, {name.replace('_', ' by ')}", sd**2, getattr(found, name))


def compared(seed: int, **given: Any) -> Iterator[Try]:
    """Agents beside each other, as their calls are."""
    made = worlds.unlike_queues(seed, **given)
    design = replace(DESIGN, controls=("contact_reason",))
    found = case_mix(frame_of(made.calls), "measure", design)
    own = made.own - made.own.mean()
    for agent in found.agents:
        truth = float(own[int(agent.agent_id.removeprefix("agent "))])
        yield Try("an agent's own", truth, agent.own.value, agent.own.low, agent.own.high)
    if not given["agent_sd"]:
        yield Try("ranked", alarm=found.is_ranked)


def training(seed: int, **given: Any) -> Iterator[Try]:
    """What a training changed."""
    world = worlds.trained(seed, **given)
    frame = frame_of(world.columns)
    day = (MONDAY + pd.Timedelta(days=1)).date()
    roster: Mapping[str, date] = dict.fromkeys(frame["agent_id"][frame["trained"]].unique(), day)
    design = replace(DESIGN, controls=())
    (found,) = training_effects(frame, roster, design, 8)
    yield of_estimate("difference in differences", found.change, world.truth)
    yield of_estimate("from the same level", found.same_start, world.truth)
    for period in found.periods:
        truth = world.truth if period.first >= 0 else 0.0
        if period.first in (-8, 4):
            yield of_estimate(f"weeks {period.first} to {period.last}", period.difference, truth)
    for agent in found.agents:
        yield Try(
            "an agent's change",
            world.truth,
            agent.shrunken.value,
            agent.shrunken.low,
            agent.shrunken.high,
        )
    if world.truth == 0:
        yield Try("called a change", alarm=found.is_clear(0.05))
        if found.trend_before is not None:
            yield of_estimate("trend before", found.trend_before, 0.0)
