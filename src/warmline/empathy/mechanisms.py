"""What the models hear in an agent's turns: levels of EPITOME's mechanisms, and uptake."""

from warmline.empathy.scene import Scene
from warmline.language.epitome import MECHANISMS
from warmline.metrics import Metric, rate, unsaid
from warmline.values import Span

LEVEL_OF = {"weak": 1, "strong": 2}
# The strength of a moment of uptake that is no more than chance.
_CHANCE = 0.5


def mechanism_metrics(scene: Scene, party: str) -> list[Metric]:
    """Mean levels and mean uptake of one agent party; unsaid where no model has read the words."""
    if scene.unheard_reason is not None:
        names = (*(f"{mechanism}_level" for mechanism in MECHANISMS), "uptake")
        return [unsaid(name, party, scene.unheard_reason) for name in names]
    return [*(_mean_level(scene, party, m) for m in MECHANISMS), _mean_uptake(scene, party)]


def _mean_level(scene: Scene, party: str, mechanism: str) -> Metric:
    """Of all turns in which the agent does more than listen; a turn without a moment is level 0."""
    found = scene.said(mechanism, party=party)
    return rate(
        f"{mechanism}_level",
        party,
        sum(LEVEL_OF[m.label or ""] for m in found),
        len(scene.speaking_turns(party)),
        no_answer="the agent said nothing",
        coverage=scene.coverage(party),
        confidence=scene.confidence,
        evidence=tuple(Span(m.start_s, m.end_s) for m in found),
    )


def _mean_uptake(scene: Scene, party: str) -> Metric:
    found = scene.said("uptake", party=party)
    return rate(
        "uptake",
        party,
        sum(m.strength - _CHANCE for m in found),
        len(found),
        no_answer="fewer than three of the agents' turns follow something a customer said",
        coverage=scene.coverage(party),
        confidence=scene.confidence,
    )
