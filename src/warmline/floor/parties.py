"""The floor, party by party."""

from itertools import pairwise

import numpy as np

from warmline.floor.evidence import longest, spans_of
from warmline.floor.overlaps import INTERRUPTION
from warmline.floor.scene import Scene
from warmline.floor.silences import HOLD
from warmline.metrics import Metric, count, rate, unsaid
from warmline.spans import intersect, total_s
from warmline.values import Span

_ALONE = "no other person speaks"
_RECORDED = "a recorded voice holds no conversation"
_AMONG_PEOPLE = (
    *("talk_share", "longest_monologue_s", "interruptions", "interruptions_per_min"),
    *("competitive_interruptions", "successful_interruptions", "backchannels"),
    *("backchannels_per_min", "response_latency_median_s", "response_latency_p90_s"),
)


def party_metrics(scene: Scene, party: str) -> list[Metric]:
    """Every party-level measure of one party."""
    sure = scene.speech.confidence
    talk_s = total_s(scene.talk[party])
    words = sum(w.party == party for w in scene.transcript.words)
    turns = sum(t.party == party for t in scene.conversation.turns)
    metrics = [
        Metric("talk_s", party, talk_s, numerator=talk_s, confidence=sure),
        Metric("turns", party, float(turns), numerator=turns, confidence=sure),
        Metric("words", party, float(words), numerator=words, confidence=sure),
    ]
    if party not in scene.people:
        return metrics + [unsaid(name, party, _RECORDED) for name in _AMONG_PEOPLE]
    everyone_s = sum(total_s(scene.talk[p]) for p in scene.people)
    metrics.append(
        rate("talk_share", party, talk_s, everyone_s, no_answer="nobody speaks", confidence=sure)
    )
    metrics.append(longest("longest_monologue_s", party, _monologues(scene, party), sure))
    metrics += _interruptions(scene, party)
    metrics += _backchannels(scene, party)
    return metrics + _latencies(scene, party)


def _monologues(scene: Scene, party: str) -> list[Span]:
    """The party's turns, cut where another interrupts."""
    cuts = [o.start_s for o in scene.overlaps if o.kind == INTERRUPTION and o.holder == party]
    pieces = []
    for turn in (t for t in scene.turns if t.party == party):
        inside = [c for c in cuts if turn.start_s < c < turn.end_s]
        edges = [turn.start_s, *inside, turn.end_s]
        pieces += [Span(a, b) for a, b in pairwise(edges)]
    return pieces


def _interruptions(scene: Scene, party: str) -> list[Metric]:
    names = ("interruptions", "competitive_interruptions", "successful_interruptions")
    sure = scene.speech.confidence
    others_min = total_s(scene.others_talk(party)) / 60
    if others_min == 0:
        return [unsaid(name, party, _ALONE) for name in (*names, "interruptions_per_min")]
    entries = [o for o in scene.overlaps if o.kind == INTERRUPTION and o.entrant == party]
    judged = [o for o in entries if o.cooperative is not None]
    competitive = count(
        "competitive_interruptions",
        party,
        [o for o in judged if not o.cooperative],
        coverage=len(judged) / len(entries) if entries else 1.0,
        confidence=sure,
    )
    if entries and not judged:
        competitive = unsaid(
            "competitive_interruptions", party, "the words of no interruption can be judged"
        )
    return [
        count("interruptions", party, entries, confidence=sure),
        competitive,
        count(
            "successful_interruptions", party, [o for o in entries if o.successful], confidence=sure
        ),
        rate(
            "interruptions_per_min",
            party,
            len(entries),
            others_min,
            no_answer=_ALONE,
            confidence=sure,
            evidence=spans_of(entries),
        ),
    ]


def _backchannels(scene: Scene, party: str) -> list[Metric]:
    sure = scene.speech.confidence
    others_min = total_s(scene.others_talk(party)) / 60
    if others_min == 0:
        return [unsaid(name, party, _ALONE) for name in ("backchannels", "backchannels_per_min")]
    own = [b for b in scene.backchannels if b.party == party]
    return [
        count("backchannels", party, own, confidence=sure),
        rate(
            "backchannels_per_min",
            party,
            len(own),
            others_min,
            no_answer=_ALONE,
            confidence=sure,
            evidence=spans_of(own),
        ),
    ]


def _latencies(scene: Scene, party: str) -> list[Metric]:
    """The median and the slow end of how long the party makes others wait."""
    holds = [s for s in scene.silences if s.kind == HOLD]
    waits = [
        Span(t.at_s - t.offset_s, t.at_s)
        for t in scene.transfers
        if t.to_party == party and t.offset_s > 0
    ]
    waits = [w for w in waits if not intersect([w], holds)]
    names = {"response_latency_median_s": 50, "response_latency_p90_s": 90}
    if not waits:
        return [unsaid(name, party, "the party never speaks after a pause") for name in names]
    lengths = np.array([w.duration_s for w in waits])
    return [
        Metric(
            name,
            party,
            value := float(np.percentile(lengths, percent)),
            observations=len(waits),
            confidence=scene.speech.confidence,
            evidence=tuple(w for w in waits if percent > 50 and w.duration_s >= value),
        )
        for name, percent in names.items()
    ]
