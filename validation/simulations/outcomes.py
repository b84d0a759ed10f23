"""Measures beside an outcome, answers to feelings, and who has no outcome: a replicate each."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from warmline.research import Design, Effects, Model
from warmline.research.associations import answer_effects, associations, dose
from warmline.research.power import Plan, detectable, needed, observed
from warmline.research.sample import APART, attrition, inverse_chances, lee_bounds
from warmline.research.survival import hazards, latest_calls

from . import worlds
from .tries import DESIGN, Try, frame_of, of_estimate


def _association(world: worlds.World, design: Design) -> Iterator[Try]:
    (found,) = associations(frame_of(world.columns), design)
    scale = 1 / found.sd if found.sd else 1.0
    yield of_estimate("estimate", found.adjusted, world.truth, scale)
    if world.truth == 0 and found.p_bootstrap is not None:
        yield Try("bootstrap p", alarm=found.p_bootstrap < 0.05)


def within_agents(seed: int, **given: Any) -> Iterator[Try]:
    """Measures beside an outcome, within agents."""
    yield from _association(worlds.outcomes_of_calls(seed, **given), DESIGN)


def random_effects(seed: int, **given: Any) -> Iterator[Try]:
    """The same with random effects, agents differing in the outcome alone."""
    world = worlds.outcomes_of_calls(seed, confounding=0.0, **given)
    yield from _association(world, replace(DESIGN, effects=Effects.RANDOM))


def logit(seed: int, **given: Any) -> Iterator[Try]:
    """The average effect of a logit with agents' effects."""
    design = replace(DESIGN, controls=(), model=Model.LOGIT)
    yield next(_association(worlds.by_odds(seed, **given), design))


def rare(seed: int, **given: Any) -> Iterator[Try]:
    """A count that few agents ever show."""
    yield from _association(worlds.rare_counts(seed, **given), replace(DESIGN, controls=()))


def customers(seed: int) -> Iterator[Try]:
    """Customers who are alike in both, whoever takes their calls."""
    yield next(_association(worlds.shared_customers(seed), replace(DESIGN, controls=())))


def weeks(seed: int) -> Iterator[Try]:
    """Weeks that are alike in both, whoever takes the calls."""
    yield next(_association(worlds.shared_weeks(seed), replace(DESIGN, controls=())))


def ten_measures(seed: int) -> Iterator[Try]:
    """Ten measures of nothing: is any called clear after the correction?"""
    world = worlds.outcomes_of_calls(seed, effect=0.0)
    frame = frame_of(world.columns)
    random = np.random.default_rng(seed + 10_000)
    names = tuple(f"m{i}" for i in range(10))
    noise = random.normal(size=(len(frame), 10)) + 0.5 * frame[["measure"]].to_numpy()
    found = associations(
        frame.assign(**dict(zip(names, noise.T, strict=True))), replace(DESIGN, measures=names)
    )
    yield Try("any clear", alarm=any((a.p_corrected or 1.0) < 0.05 for a in found))


def levels(seed: int) -> Iterator[Try]:
    """The outcome along a measure, in fifths of the calls, whatever confounds it."""
    world = worlds.outcomes_of_calls(seed, effect=0.06)
    frame = frame_of(world.columns)
    found = dose(frame, "measure", DESIGN)
    if found is None:
        yield Try("level 1", refused=True)
        return
    # Levels are drawn around the mean of all calls: what is between two parts of it is theirs.
    middle = frame["measure"].mean()
    for place, part in enumerate(found.parts):
        truth = world.truth * (part.mean - middle) + float(frame["outcome"].mean())
        yield of_estimate(f"level {place + 1}", part.adjusted, truth)


def power(seed: int, *, agents: int) -> Iterator[Try]:
    """The effect that 4 of 5 studies of this size are to see, by a pilot of that size: do they?"""
    pilot = frame_of(worlds.uneven_agents(seed + 500_000, agents=agents).columns)
    plan = Plan(**observed(pilot, DESIGN))
    effect = detectable(len(pilot), plan) / float(pilot["measure"].std())
    yield _seen(worlds.uneven_agents(seed, agents=agents, effect=effect))


def calls_needed(seed: int, *, effect: float) -> Iterator[Try]:
    """As many calls as a pilot of 12 agents says that an effect takes: do 4 of 5 studies see it?"""
    pilot = frame_of(worlds.uneven_agents(seed + 500_000, agents=12).columns)
    plan = Plan(**observed(pilot, DESIGN))
    calls = needed(effect * float(pilot["measure"].std()), plan).within
    world = worlds.uneven_agents(seed, agents=calls // 20, effect=effect)
    first = {name: column[:calls] for name, column in world.columns.items()}
    yield _seen(replace(world, columns=first))


def _seen(world: worlds.World) -> Try:
    (found,) = associations(frame_of(world.columns), DESIGN)
    return Try(
        "seen, of 0.8 promised", 0.8, float(bool(found.adjusted and found.adjusted.p < 0.05))
    )


def answers(seed: int, **given: Any) -> Iterator[Try]:
    """Which answers to which feelings go with the outcome."""
    made = worlds.answers_to_feelings(seed, **given)
    found = _answer_effects(made)
    for cell in found:
        if (cell.cue, cell.answer) in made.truth:
            truth = made.truth[cell.cue, cell.answer]
            yield of_estimate(f"{cell.answer} to {cell.cue}", cell.estimate, truth)
    if not given.get("effects"):
        yield Try("any clear", alarm=any((c.p_corrected or 1.0) < 0.05 for c in found))


def times(seed: int) -> Iterator[Try]:
    """Answers by third of the call."""
    made = worlds.early_and_late(seed)
    thirds = {"the first third": 0, "the middle": 1, "the last third": 2}
    for cell in _answer_effects(made):
        if cell.cue in thirds:
            yield of_estimate(f"in {cell.cue}", cell.estimate, made.times[thirds[cell.cue]])


def _answer_effects(made: worlds.Cued) -> Any:
    frame = frame_of(made.calls)
    frame["call_id"] = [f"c{i}" for i in range(len(frame))]
    cues = pd.DataFrame(dict(made.cues))
    cues.insert(0, "call_id", "c" + cues.pop("call").astype(str))
    return answer_effects(frame, cues, replace(DESIGN, controls=()))


def surveys(seed: int) -> Iterator[Try]:
    """A rating that upset customers seldom give, as it is and with calls standing for others."""
    world = worlds.unanswered_surveys(seed)
    frame = frame_of(world.columns)
    frame["call_id"] = [f"c{i}" for i in range(len(frame))]
    given = frame["outcome"].notna().to_numpy()
    weights = inverse_chances(frame, given, DESIGN.controls)
    told = frame[given]
    for what, rows in (
        ("as given", told),
        ("weighed", told.assign(weight=told["call_id"].map(weights))),
    ):
        (found,) = associations(rows, DESIGN)
        yield of_estimate(what, found.adjusted, world.truth, 1 / (found.sd or 1.0))


def bounds(seed: int, **given: Any) -> Iterator[Try]:
    """A rating that comes more often where more was done: as it is, and Lee's bounds."""
    world = worlds.lost_to_follow_up(seed, **given)
    c = world.columns
    found = lee_bounds("measure", c["measure"], c["outcome"], c["agent"])
    if found is None:
        yield Try("bounds, chance counted", world.truth, refused=True)
        return
    middle = (found.low + found.high) / 2
    yield Try("difference of those who rate", world.truth, found.difference)
    yield Try("bounds, chance counted", world.truth, middle, found.surely_low, found.surely_high)


def missing(seed: int, **given: Any) -> Iterator[Try]:
    """How calls with an outcome differ from those without."""
    world = worlds.lost_alike(seed, **given)
    frame = frame_of(world.columns)
    (found,) = attrition(frame, frame["outcome"].notna().to_numpy(), DESIGN.controls)
    # In standard deviations of all calls, half of which lie `apart` from the others.
    truth = world.truth / float(np.sqrt(1 + world.truth**2 / 4))
    alarm = abs(found.apart) > APART
    yield Try("apart, in SD", truth, found.apart, alarm=None if truth else alarm)


def mundlak(seed: int, **given: Any) -> Iterator[Try]:
    """Whether agents who do more of it differ otherwise, too: may random effects be taken?"""
    world = worlds.skilled_agents(seed, **given)
    design = replace(DESIGN, controls=(), effects=Effects.RANDOM)
    (found,) = associations(frame_of(world.columns), design)
    is_seen = found.p_mundlak is not None and found.p_mundlak < 0.05
    if given.get("skill"):
        yield Try("warned of", value=float(is_seen))
        design = replace(design, effects=Effects.FIXED)
        (within,) = associations(frame_of(world.columns), design)
        yield of_estimate("within agents", within.adjusted, world.truth, 1 / (within.sd or 1.0))
    else:
        yield Try("warned of", alarm=is_seen)
        yield of_estimate("random effects", found.adjusted, world.truth, 1 / (found.sd or 1.0))


def latest(seed: int, **given: Any) -> Iterator[Try]:
    """How long customers stay by their latest call, in an export that begins late."""
    world = worlds.recontacts(seed, **given)
    frame = frame_of(world.columns).rename(columns={"left": "outcome"})
    design = replace(DESIGN, controls=())
    (found,) = latest_calls(frame, design)
    yield of_estimate("latest call, log ratio", found.ratio, world.truth, 1 / (found.sd or 1.0))
    if not world.truth:
        (other,) = hazards(frame, design)
        yield of_estimate("every call, log ratio", other.ratio, 0.0, 1 / (other.sd or 1.0))
