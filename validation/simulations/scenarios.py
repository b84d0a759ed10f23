"""What each public method says of worlds whose truth is known, one replicate at a time.

A scenario makes one world by a seed and returns what was found there: a `Try` for each number that
a user would be shown.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import agents_compared, outcomes, recognition, warehouses
from .tries import Try


@dataclass(frozen=True)
class Scenario:
    """A world and a method, with how many replicates are made of `given`.

    `known` says of a number, why it is not held to the aims.
    """

    title: str
    run: Callable[..., Iterator[Try]]
    given: Mapping[str, Any]
    part: str
    replicates: float = 1.0
    known: Mapping[str, str] = field(default_factory=dict)


_P, _R, _S = "Measures beside an outcome", "Being retained, from a warehouse", "How long they stay"
_E, _A, _T = "Errors of recognition", "Agents' means", "Training"
_L, _C, _F = "Labels of one's own", "Answers by feeling and time", "Whether all are heard alike"
_AS_GIVEN = {
    "as given": "of those who answered alone; the report sets the weighed one beside it, and says "
    "how calls with and without an answer differ"
}
_DRAWN = {
    "as recognised": "drawn towards 0 by errors of recognition: the report says so in its first "
    "sentence, and labels correct it"
}
# With one turn in five that shows a feeling, a precision of 0.743.
_VALIDATED = {"recall": 0.565, "false_flags": 0.0489}

SCENARIOS = (
    Scenario("20 agents, nothing planted", outcomes.within_agents, {}, _P),
    Scenario("20 agents, 4 points a unit", outcomes.within_agents, {"effect": 0.04}, _P),
    Scenario("6 agents, nothing planted", outcomes.within_agents, {"agents": 6}, _P),
    Scenario(
        "6 agents, 4 points a unit", outcomes.within_agents, {"agents": 6, "effect": 0.04}, _P
    ),
    Scenario("random effects, nothing planted", outcomes.random_effects, {}, _P),
    Scenario("random effects, 4 points", outcomes.random_effects, {"effect": 0.04}, _P),
    Scenario("ten measures of nothing, corrected", outcomes.ten_measures, {}, _P),
    Scenario("a count that one of 8 agents shows", outcomes.rare, {"agents": 8, "showing": 1}, _P),
    Scenario("a count that one of 20 shows", outcomes.rare, {"agents": 20, "showing": 1}, _P),
    Scenario("a count that two of 20 show", outcomes.rare, {"agents": 20, "showing": 2}, _P),
    Scenario("a count that four of 20 show", outcomes.rare, {"agents": 20, "showing": 4}, _P),
    Scenario("customers alike in both, 4 calls each", outcomes.customers, {}, _P),
    Scenario("weeks alike in both", outcomes.weeks, {}, _P),
    Scenario("logit, nine of ten stay, nothing", outcomes.logit, {}, _P),
    Scenario("logit, log odds + 0.5", outcomes.logit, {"odds": 0.5}, _P),
    Scenario("levels of an outcome, 6 points a unit", outcomes.levels, {}, _P),
    Scenario("8 agents, the effect that power promises", outcomes.power, {"agents": 8}, _P, 2.0),
    Scenario("20 agents, the effect that power promises", outcomes.power, {"agents": 20}, _P, 2.0),
    Scenario("60 agents, the effect that power promises", outcomes.power, {"agents": 60}, _P, 2.0),
    Scenario(
        "7 points a unit, the calls that power asks for",
        outcomes.calls_needed,
        {"effect": 0.07},
        _P,
        2.0,
    ),
    Scenario(
        "4 points a unit, the calls that power asks for",
        outcomes.calls_needed,
        {"effect": 0.04},
        _P,
        2.0,
    ),
    Scenario("ratings that the upset seldom give", outcomes.surveys, {}, _P, known=_AS_GIVEN),
    Scenario("who rates hangs on what was done", outcomes.bounds, {}, _P),
    Scenario("who rates hangs on it alone", outcomes.bounds, {"worst": True}, _P),
    Scenario("calls without an outcome are as others", outcomes.missing, {}, _P),
    Scenario("calls with an outcome lie 0.5 SD apart", outcomes.missing, {"apart": 0.5}, _P),
    Scenario("Mundlak's test, agents' skill does nothing", outcomes.mundlak, {}, _P),
    Scenario("Mundlak's test, skill moves both", outcomes.mundlak, {"skill": 0.5}, _P),
    Scenario("answers that do nothing", outcomes.answers, {}, _C),
    Scenario("affective answers help fear and harm anger", outcomes.answers, {"effects": True}, _C),
    Scenario("answers help early and harm late", outcomes.times, {}, _C),
    Scenario("nothing planted", warehouses.retained, {}, _R),
    Scenario("20 points from none to all answered", warehouses.retained, {"effect": 0.2}, _R),
    Scenario(
        "half last heard of before the horizon",
        warehouses.retained,
        {"effect": 0.2, "follows": False},
        _R,
    ),
    Scenario("a trend in both over the half year", warehouses.retained, {"trend": 0.25}, _R),
    Scenario("who leaves calls to say so", warehouses.retained, {"cancels": True}, _R),
    Scenario(
        "customers call again, sooner when they leave",
        warehouses.retained_and_survival,
        {"several": True, "agents": 8},
        _R,
    ),
    Scenario("nothing planted, upset customers call again", warehouses.survival, {}, _S),
    Scenario("log hazard -0.3 a unit", warehouses.survival, {"log_ratio": -0.3}, _S),
    Scenario(
        "latest call, nothing; who is about to leave calls more",
        outcomes.latest,
        {"upset": True},
        _S,
    ),
    Scenario("latest call, log hazard -0.4 a unit", outcomes.latest, {"log_ratio": -0.4}, _S),
    Scenario(
        "17 points, 300 labelled turns",
        recognition.errors_of_recognition,
        {},
        _E,
        known=_DRAWN,
    ),
    Scenario(
        "nothing planted, 300 labelled turns",
        recognition.errors_of_recognition,
        {"effect": 0.0},
        _E,
    ),
    Scenario("17 points, no labels but known errors", recognition.curve, {}, _E),
    Scenario("17 points, the ledger as validated", recognition.curve, _VALIDATED, _E),
    Scenario(
        "17 points, the ledger as validated, labelled",
        recognition.errors_of_recognition,
        _VALIDATED,
        _E,
        known=_DRAWN,
    ),
    Scenario(
        "sd 0.3 agents, 0.2 weeks, 1 calls",
        agents_compared.reliabilities,
        {"agent_sd": 0.3, "week_sd": 0.2, "call_sd": 1.0},
        _A,
    ),
    Scenario(
        "agents alike",
        agents_compared.reliabilities,
        {"agent_sd": 0.0, "week_sd": 0.2, "call_sd": 1.0},
        _A,
    ),
    Scenario("agent_week, all alike, half answered", warehouses.agent_weeks, {}, _A),
    Scenario("agent_week, all alike, a tenth answered", warehouses.agent_weeks, {"rate": 0.1}, _A),
    Scenario("agents, weeks and matters crossed", agents_compared.crossed, {}, _A),
    Scenario("unlike queues, agents of sd 0.1", agents_compared.compared, {"agent_sd": 0.1}, _A),
    Scenario("unlike queues, agents alike", agents_compared.compared, {"agent_sd": 0.0}, _A),
    Scenario("900 calls, all heard alike", warehouses.fairness, {}, _F),
    Scenario("60 calls written down, all heard alike", recognition.misheard, {}, _F),
    Scenario(
        "60 calls written down, 8 words in 100 apart", recognition.misheard, {"more": 0.08}, _F
    ),
    Scenario("480 labels, two groups read alike", recognition.read_alike, {}, _F),
    Scenario("480 labels, log odds 0.7 apart", recognition.read_alike, {"log_odds": 0.7}, _F),
    Scenario("6 of 18 trained by lot, nothing changed", agents_compared.training, {}, _T),
    Scenario(
        "the lowest 6 trained, nothing changed",
        agents_compared.training,
        {"pick": "lowest"},
        _T,
        known={
            **dict.fromkeys(
                ("difference in differences", "weeks 4 to 7", "an agent's change"),
                "regression to the mean, for which the second number is there; a change is called "
                "one only where both say so",
            )
        },
    ),
    Scenario(
        "the best 6 trained, nothing changed",
        agents_compared.training,
        {"pick": "good"},
        _T,
        known={
            "from the same level": "agents differ for good, for which the first number is there; a "
            "change is called one only where both say so"
        },
    ),
    Scenario("3 of 18 trained by lot, nothing changed", agents_compared.training, {"count": 3}, _T),
    Scenario("6 of 18 trained by lot, + 0.15", agents_compared.training, {"effect": 0.15}, _T),
    Scenario("120 flagged, 240 unflagged; 2 % feel", recognition.labels, {"prevalence": 0.02}, _L),
    Scenario("120 flagged, 240 unflagged; 20 % feel", recognition.labels, {"prevalence": 0.2}, _L),
)
