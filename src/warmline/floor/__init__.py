"""The floor stage: who held the floor, who took it, and how long nobody did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from warmline.analysis import Floor, Metric, MetricDefinition, count, missing_metric, rate
from warmline.floor.events import DEAD_AIR, HOLD, INTERRUPTION, FloorEvents, floor_events
from warmline.settings import FloorSettings
from warmline.values import Conversation, RoleName, Span, Speech, Transcript, intersect, total_s

# Measures whose evidence is the spans they were computed from.


def _spans_of(events: Sequence[Span]) -> tuple[Span, ...]:
    """Return only the times of the events."""
    return tuple(Span(e.start_s, e.end_s) for e in events)


def _seconds(name: str, events: Sequence[Span]) -> Metric:
    """Return a call's total length of these spans."""
    total = sum((e.duration_s for e in events), 0.0)
    return Metric(
        name, None, total, numerator=total, observations=len(events), evidence=_spans_of(events)
    )


def _longest(name: str, party: str | None, events: Sequence[Span], confidence: float) -> Metric:
    """Return the length of the longest span; None when there are no spans."""
    if not events:
        return missing_metric(name, party, "there is none")
    found = max(events, key=lambda e: e.duration_s)
    return Metric(
        name,
        party,
        found.duration_s,
        observations=len(events),
        confidence=confidence,
        evidence=_spans_of([found]),
    )


# Measures of the call as a whole.


_OF_SPEECH = (
    *("dead_air_s", "dead_air_count", "longest_dead_air_s", "long_dead_air_s"),
    *("long_dead_air_count", "hold_s", "fto_median_s", "overlap_s", "opening_story_s"),
)


def _call_metrics(scene: FloorEvents, settings: FloorSettings) -> list[Metric]:
    """Return every call-level measure. Silence does not depend on telling the parties apart."""
    silent_s = sum((s.duration_s for s in scene.silences), 0.0)
    non_talk = Metric("non_talk_s", None, silent_s, numerator=silent_s)
    if not any(scene.talk.values()):
        return [non_talk, *(missing_metric(name, None, "nobody speaks") for name in _OF_SPEECH)]
    dead = [s for s in scene.silences if s.kind == DEAD_AIR]
    long_dead = [s for s in dead if s.duration_s >= settings.long_dead_air_s]
    return [
        non_talk,
        _seconds("dead_air_s", dead),
        count("dead_air_count", None, dead),
        _longest("longest_dead_air_s", None, dead, 1.0),
        _seconds("long_dead_air_s", long_dead),
        count("long_dead_air_count", None, long_dead),
        _seconds("hold_s", [s for s in scene.silences if s.kind == HOLD]),
        _offset(scene),
        _overlap(scene),
        _opening_story(scene),
    ]


def _offset(scene: FloorEvents) -> Metric:
    if not scene.transfers:
        return missing_metric("fto_median_s", None, "the speaker never changes")
    return Metric(
        "fto_median_s",
        None,
        float(np.median([t.offset_s for t in scene.transfers])),
        observations=len(scene.transfers),
        confidence=scene.speech.confidence,
    )


def _overlap(scene: FloorEvents) -> Metric:
    pairs = combinations(scene.talk.values(), 2)
    together_s = total_s(s for a, b in pairs for s in intersect(a, b))
    return Metric(
        "overlap_s", None, together_s, numerator=together_s, confidence=scene.speech.confidence
    )


def _opening_story(scene: FloorEvents) -> Metric:
    name = "opening_story_s"
    agent = scene.conversation.party_of(RoleName.AGENT)
    customer = scene.conversation.party_of(RoleName.CUSTOMER)
    if agent not in scene.people or customer not in scene.people:
        return missing_metric(name, None, "agent and customer are not both known")
    speech = scene.talk[customer]
    if not speech:
        return missing_metric(name, None, "the customer does not speak")
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


# Measures of single parties.


_ALONE = "no other person speaks"
_RECORDED = "a recorded voice holds no conversation"
_AMONG_PEOPLE = (
    *("talk_share", "longest_monologue_s", "interruptions", "interruptions_per_min"),
    *("competitive_interruptions", "successful_interruptions", "backchannels"),
    *("backchannels_per_min", "response_latency_median_s", "response_latency_p90_s"),
)


def _party_metrics(scene: FloorEvents, party: str, settings: FloorSettings) -> list[Metric]:
    """Return every party-level measure of one party."""
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
        return metrics + [missing_metric(name, party, _RECORDED) for name in _AMONG_PEOPLE]
    everyone_s = sum(total_s(scene.talk[p]) for p in scene.people)
    metrics.append(
        rate("talk_share", party, talk_s, everyone_s, no_answer="nobody speaks", confidence=sure)
    )
    metrics.append(_longest("longest_monologue_s", party, _monologues(scene, party), sure))
    metrics += _interruptions(scene, party)
    metrics += _backchannels(scene, party, settings.backchannel_max_s)
    return metrics + _latencies(scene, party)


def _monologues(scene: FloorEvents, party: str) -> list[Span]:
    """Return the party's turns, cut where another interrupts."""
    cuts = [o.start_s for o in scene.overlaps if o.kind == INTERRUPTION and o.holder == party]
    pieces = []
    for turn in (t for t in scene.turns if t.party == party):
        inside = [c for c in cuts if turn.start_s < c < turn.end_s]
        edges = [turn.start_s, *inside, turn.end_s]
        pieces += [Span(a, b) for a, b in pairwise(edges)]
    return pieces


def _share_classed(sure: Sequence[Span], unsure: Sequence[Span]) -> float:
    """Return the share of entries whose class is sure; 1 where there is none."""
    return len(sure) / (len(sure) + len(unsure)) if sure or unsure else 1.0


def _unclassed(names: Sequence[str], party: str, unsure: Sequence[Span]) -> list[Metric]:
    """Return no values where the class of no entry is sure."""
    reason = (
        f"the voices share a channel, and the class of no entry ({len(unsure)}) is sure: another "
        "edge, by 0.03 s, would make it another one"
    )
    return [missing_metric(name, party, reason) for name in names]


def _interruptions(scene: FloorEvents, party: str) -> list[Metric]:
    names = ("interruptions", "competitive_interruptions", "successful_interruptions")
    sure = scene.speech.confidence
    others_min = total_s(scene.others_talk(party)) / 60
    if others_min == 0:
        return [missing_metric(name, party, _ALONE) for name in (*names, "interruptions_per_min")]
    entries = [o for o in scene.overlaps if o.kind == INTERRUPTION and o.entrant == party]
    unsure = scene.unsure_entries(party)
    if unsure and not entries:
        return _unclassed((*names, "interruptions_per_min"), party, unsure)
    classed = _share_classed(entries, unsure)
    judged = [o for o in entries if o.cooperative is not None]
    competitive = count(
        "competitive_interruptions",
        party,
        [o for o in judged if not o.cooperative],
        coverage=classed * (len(judged) / len(entries) if entries else 1.0),
        confidence=sure,
    )
    if entries and not judged:
        competitive = missing_metric(
            "competitive_interruptions", party, "the words of no interruption can be judged"
        )
    successful = [o for o in entries if o.successful]
    return [
        count("interruptions", party, entries, coverage=classed, confidence=sure),
        competitive,
        count("successful_interruptions", party, successful, coverage=classed, confidence=sure),
        rate(
            "interruptions_per_min",
            party,
            len(entries),
            others_min,
            no_answer=_ALONE,
            coverage=classed,
            confidence=sure,
            evidence=_spans_of(entries),
        ),
    ]


def _backchannels(scene: FloorEvents, party: str, short_s: float) -> list[Metric]:
    names = ("backchannels", "backchannels_per_min")
    sure = scene.speech.confidence
    others_min = total_s(scene.others_talk(party)) / 60
    if others_min == 0:
        return [missing_metric(name, party, _ALONE) for name in names]
    own = [b for b in scene.backchannels if b.party == party]
    unsure = scene.unsure_entries(party, short_s)
    if unsure and not own:
        return _unclassed(names, party, unsure)
    classed = _share_classed(own, unsure)
    return [
        count("backchannels", party, own, coverage=classed, confidence=sure),
        rate(
            "backchannels_per_min",
            party,
            len(own),
            others_min,
            no_answer=_ALONE,
            coverage=classed,
            confidence=sure,
            evidence=_spans_of(own),
        ),
    ]


def _latencies(scene: FloorEvents, party: str) -> list[Metric]:
    """Return the median and the slow end of the time that the party makes others wait."""
    holds = [s for s in scene.silences if s.kind == HOLD]
    waits = [
        Span(t.at_s - t.offset_s, t.at_s)
        for t in scene.transfers
        if t.to_party == party and t.offset_s > 0
    ]
    waits = [w for w in waits if not intersect([w], holds)]
    names = {"response_latency_median_s": 50, "response_latency_p90_s": 90}
    if not waits:
        return [
            missing_metric(name, party, "the party never speaks after a pause") for name in names
        ]
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


def measure(
    speech: Speech,
    transcript: Transcript,
    conversation: Conversation,
    duration_s: float,
    settings: FloorSettings,
) -> Floor:
    """Return all floor events and measures of a call of this length; see `DEFINITIONS`."""
    scene = floor_events(speech, transcript, conversation, duration_s, settings)
    metrics = [m for party in scene.talk for m in _party_metrics(scene, party, settings)]
    metrics += _call_metrics(scene, settings)
    return Floor(
        scene.overlaps, scene.transfers, scene.silences, scene.backchannels, tuple(metrics)
    )


# How much the floor measures depend on their thresholds.


_FACTORS = (0.5, 1.5)


@dataclass(frozen=True)
class Sensitivity:
    """One measure with one threshold multiplied by `factor`; `usual` is its value without."""

    setting: str
    factor: float
    name: str
    party: str | None
    value: float | None
    usual: float | None


def sensitivity(
    speech: Speech,
    transcript: Transcript,
    conversation: Conversation,
    duration_s: float,
    settings: FloorSettings,
) -> tuple[Sensitivity, ...]:
    """Return every measure that changes when one threshold is halved or raised by half."""

    def values(used: FloorSettings) -> dict[tuple[str, str | None], float | None]:
        floor = measure(speech, transcript, conversation, duration_s, used)
        return {(m.name, m.party): m.value for m in floor.metrics}

    usual = values(settings)
    return tuple(
        Sensitivity(setting, factor, name, party, value, usual[name, party])
        for setting, factor, used in _varied(settings)
        for (name, party), value in values(used).items()
        if value != usual[name, party]
    )


def _varied(settings: FloorSettings) -> Iterator[tuple[str, float, FloorSettings]]:
    for setting, value in settings.model_dump().items():
        for factor in _FACTORS:
            yield setting, factor, settings.model_copy(update={setting: value * factor})


# The definitions of the floor measures, each with its meaning and source.


_PLANTED = "planted events in simulated calls"
_OVERLAP = "Heldner & Edlund 2010; Cho 2022"
_PEERS = "Contact Lens, CX Insights, Calabrio"


def _party(
    name: str, unit: str, definition: str, source: str, version: int = 1
) -> MetricDefinition:
    return MetricDefinition(name, "party", unit, definition, source, version, validated=_PLANTED)


def _call(name: str, unit: str, definition: str, source: str) -> MetricDefinition:
    return MetricDefinition(name, "call", unit, definition, source, validated=_PLANTED)


DEFINITIONS: tuple[MetricDefinition, ...] = (
    _party(
        "talk_s",
        "s",
        "Seconds of the party's speech; pauses under 0.2 s are speech.",
        "Amazon Transcribe Call Analytics",
    ),
    _party(
        "talk_share",
        "share",
        "The party's speech over the sum of all parties' (recorded voices left out).",
        "Amazon Transcribe Call Analytics",
    ),
    _party(
        "longest_monologue_s",
        "s",
        "Longest span of one turn of the party that nobody interrupted.",
        "Gong",
    ),
    _party(
        "interruptions",
        "count",
        "Times the party came in while another held the floor, 0.3 s or more before the other "
        "ended, with at least 0.3 s of overlap and 1 s of speech. Counted for who came in. Where "
        "voices share a channel, coverage is the share of entries that would be of the same class "
        "if their edges were 0.03 s off; the others are not counted.",
        _OVERLAP,
        version=3,
    ),
    _party(
        "interruptions_per_min",
        "per_min",
        "The party's interruptions per minute of the others' speech.",
        _OVERLAP,
        version=3,
    ),
    _party(
        "competitive_interruptions",
        "count",
        "Interruptions that neither open with agreement nor complete the other's phrase; coverage "
        "is the share of interruptions whose words were recognised.",
        _OVERLAP,
        version=3,
    ),
    _party(
        "successful_interruptions",
        "count",
        "Interruptions after which the other stops within 1 s and the party keeps the floor.",
        _OVERLAP,
        version=3,
    ),
    _party(
        "backchannels",
        "count",
        "Short activity of the party (at most 1 s) inside another's turn, from the sound; words, "
        "where recognised, must be a listener's. More is not better. Coverage as for "
        "interruptions.",
        "Heldner & Edlund 2010; Reece 2023",
        version=3,
    ),
    _party(
        "backchannels_per_min",
        "per_min",
        "The party's backchannels per minute of the others' speech. A research column.",
        "Heldner & Edlund 2010; Reece 2023",
        version=3,
    ),
    _party(
        "response_latency_median_s",
        "s",
        "Median of the party's positive floor transfer offsets; holds are left out.",
        "Templeton 2022",
    ),
    _party(
        "response_latency_p90_s",
        "s",
        "90th percentile of the party's positive floor transfer offsets; holds are left out.",
        "Templeton 2022",
    ),
    _party("turns", "count", "Turns of the party.", "Reece 2023"),
    _party("words", "count", "Recognised words of the party, backchannels included.", "peers.md"),
    _call(
        "non_talk_s",
        "s",
        "Seconds in which no party speaks, from the recording's first sample to its last.",
        "Amazon Transcribe Call Analytics",
    ),
    _call(
        "dead_air_s",
        "s",
        "Seconds of dead air: silences of all parties of 2 s or more between the first and the "
        "last speech of the call, holds left out.",
        _PEERS,
    ),
    _call("dead_air_count", "count", "Number of spans of dead air.", _PEERS),
    _call("longest_dead_air_s", "s", "The longest span of dead air.", _PEERS),
    _call("long_dead_air_s", "s", "Seconds of dead air in spans of 5 s or more.", _PEERS),
    _call("long_dead_air_count", "count", "Spans of dead air of 5 s or more.", _PEERS),
    _call(
        "hold_s",
        "s",
        "Seconds of music or tones while nobody speaks, 5 s or more at a time, between the first "
        "and the last speech of the call.",
        "Calabrio",
    ),
    _call(
        "fto_median_s",
        "s",
        "Median floor transfer offset: start of the next speaker minus end of the last at every "
        "change of speaker; below 0 is overlap.",
        "Levinson & Torreira 2015; Reece 2023",
    ),
    _call("overlap_s", "s", "Seconds in which two or more parties speak.", _OVERLAP),
    _call(
        "opening_story_s",
        "s",
        "Seconds of the customer's speech before the agent's first interruption that is not known "
        "to be cooperative; all of it, with 0 observations, if there is none.",
        "metrics.md, Floor",
    ),
)
