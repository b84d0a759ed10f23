"""The floor of the call as a whole."""

from itertools import combinations

import numpy as np

from warmline.floor.evidence import longest, seconds
from warmline.floor.overlaps import INTERRUPTION
from warmline.floor.scene import Scene
from warmline.floor.silences import DEAD_AIR, HOLD
from warmline.metrics import Metric, count, unsaid
from warmline.settings import FloorSettings
from warmline.spans import intersect, total_s
from warmline.values import RoleName, Span

_OF_SPEECH = (
    *("dead_air_s", "dead_air_count", "longest_dead_air_s", "long_dead_air_s"),
    *("long_dead_air_count", "hold_s", "fto_median_s", "overlap_s", "opening_story_s"),
)


def call_metrics(scene: Scene, settings: FloorSettings) -> list[Metric]:
    """Every call-level measure. Silence does not depend on telling the parties apart."""
    silent_s = sum((s.duration_s for s in scene.silences), 0.0)
    non_talk = Metric("non_talk_s", None, silent_s, numerator=silent_s)
    if not any(scene.talk.values()):
        return [non_talk, *(unsaid(name, None, "nobody speaks") for name in _OF_SPEECH)]
    dead = [s for s in scene.silences if s.kind == DEAD_AIR]
    long_dead = [s for s in dead if s.duration_s >= settings.long_dead_air_s]
    return [
        non_talk,
        seconds("dead_air_s", dead),
        count("dead_air_count", None, dead),
        longest("longest_dead_air_s", None, dead, 1.0),
        seconds("long_dead_air_s", long_dead),
        count("long_dead_air_count", None, long_dead),
        seconds("hold_s", [s for s in scene.silences if s.kind == HOLD]),
        _offset(scene),
        _overlap(scene),
        _opening_story(scene),
    ]


def _offset(scene: Scene) -> Metric:
    if not scene.transfers:
        return unsaid("fto_median_s", None, "the speaker never changes")
    return Metric(
        "fto_median_s",
        None,
        float(np.median([t.offset_s for t in scene.transfers])),
        observations=len(scene.transfers),
        confidence=scene.speech.confidence,
    )


def _overlap(scene: Scene) -> Metric:
    pairs = combinations(scene.talk.values(), 2)
    together_s = total_s(s for a, b in pairs for s in intersect(a, b))
    return Metric(
        "overlap_s", None, together_s, numerator=together_s, confidence=scene.speech.confidence
    )


def _opening_story(scene: Scene) -> Metric:
    name = "opening_story_s"
    agent = scene.conversation.party_of(RoleName.AGENT)
    customer = scene.conversation.party_of(RoleName.CUSTOMER)
    if agent not in scene.people or customer not in scene.people:
        return unsaid(name, None, "agent and customer are not both known")
    speech = scene.talk[customer]
    if not speech:
        return unsaid(name, None, "the customer does not speak")
    breaks = [
        o
        for o in scene.overlaps
        if o.kind == INTERRUPTION
        and (o.holder, o.entrant) == (customer, agent)
        and o.cooperative is not True
    ]
    until_s = breaks[0].start_s if breaks else speech[-1].end_s
    story_s = total_s(intersect(speech, [Span(speech[0].start_s, until_s)]))
    return Metric(
        name,
        None,
        story_s,
        numerator=story_s,
        observations=len(breaks),
        confidence=min(scene.speech.confidence, scene.conversation.role_confidence or 0.0),
        evidence=(Span(speech[0].start_s, until_s),),
    )
