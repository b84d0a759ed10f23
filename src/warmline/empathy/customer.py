"""Measures of what a customer went through, and said of it."""

from warmline.empathy.scene import Scene
from warmline.metrics import Metric, count
from warmline.values import Span

# Metric -> the kinds of the customer's own moments that it counts.
COUNTED = {
    "friction_repeat": ("friction_repeat",),
    "hostile": ("hostile",),
    "thanks": ("thanks",),
    "relief": ("relief",),
    "complaints": ("complaint",),
}


def customer_metrics(scene: Scene, party: str) -> list[Metric]:
    """Every measure of one customer party."""
    coverage, confidence = scene.coverage(party), scene.confidence
    transfers: list[Span] = [
        *scene.said("friction_transfer", party=party),
        *scene.by_agents("friction_transfer"),
    ]
    # An agent's "please hold" is counted by the hold that was heard after it, if there was one.
    holds: list[Span] = [
        *scene.said("friction_hold", party=party),
        *(s for s in scene.floor.silences if s.kind == "hold"),
    ]
    evidence: dict[str, list[Span]] = {
        name: [*scene.said(*kinds, party=party)] for name, kinds in COUNTED.items()
    }
    evidence |= {"friction_transfer": transfers, "friction_hold": holds}
    return [
        count(
            name,
            party,
            sorted(spans, key=lambda s: s.start_s),
            coverage=coverage,
            confidence=confidence,
        )
        for name, spans in evidence.items()
    ]
