"""The prosody stage: how things were said, relative to the speaker's own call."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from warmline.analysis import (
    Metric,
    MetricDefinition,
    PartyProsody,
    Prosody,
    TurnProsody,
    missing_metric,
    rate,
)
from warmline.prosody.frames import (
    PartySound,
    party_frames,
    party_prosody,
    party_sound,
    turn_prosody,
)
from warmline.recordings.sound import Sound
from warmline.settings import ProsodySettings
from warmline.values import (
    ChannelLayout,
    Conversation,
    RoleName,
    Span,
    Speech,
    Transcript,
    Turn,
    subtract,
    total_s,
    union,
)

# The measures of the prosody stage, each with its meaning, source and validation.


_PITCH_CHECKED = "against Praat and pYIN on real calls and on synthetic voices, telephone band"
_PLANTED = "planted in synthetic calls"

DEFINITIONS: tuple[MetricDefinition, ...] = (
    MetricDefinition(
        "pitch_median_hz",
        "party",
        "Hz",
        "Median fundamental frequency of the party's voiced speech, frames 10 ms apart.",
        "Boersma 1993; Tolonen & Karjalainen 2000; De Looze & Hirst 2008",
        validated=_PITCH_CHECKED,
    ),
    MetricDefinition(
        "pitch_iqr_st",
        "party",
        "semitones",
        "Distance between the quartiles of the party's pitch over all voiced frames.",
        "De Looze & Hirst 2008",
        validated=_PITCH_CHECKED,
    ),
    MetricDefinition(
        "level_median_db",
        "party",
        "dB",
        "Median over the party's turns of the mean power of speech below 4 kHz, dB re full scale. "
        "Depends on the line's gain: compare within a call only.",
        "metrics.md, Prosody",
        validated=_PLANTED,
    ),
    MetricDefinition(
        "level_iqr_db",
        "party",
        "dB",
        "Distance between the quartiles of the levels of the party's turns.",
        "metrics.md, Prosody",
    ),
    MetricDefinition(
        "loudness_lufs",
        "party",
        "LUFS",
        "Gated loudness of the party's own speech, spans of at least 0.4 s, one channel.",
        "ITU-R BS.1770-5",
        validated="against the recommendation's test tones",
    ),
    MetricDefinition(
        "rate_median_words_per_s",
        "party",
        "words/s",
        "Median over the party's turns of recognised words per second of speech; turns of at least "
        "three words.",
        "metrics.md, Prosody",
        validated=_PLANTED,
    ),
    MetricDefinition(
        "pause_share",
        "party",
        "share",
        "Share of the party's turns in which the party does not speak: pauses over length, both "
        "summed over turns.",
        "metrics.md, Prosody",
    ),
    MetricDefinition(
        "voiced_share",
        "party",
        "share",
        "Voiced frames over frames of active speech.",
        "Boersma 1993",
        validated=_PITCH_CHECKED,
    ),
    *(
        MetricDefinition(
            name,
            "party",
            unit,
            f"Agent's {what}: median over turns that follow a heated turn of the customer, minus "
            "median over the agent's other turns. Near 0 is steady. A customer's turn is heated "
            "when its level or rate is more than 1 SD above the mean of the customer's turns "
            "(about one turn in six of a calm call is, too) and audibly so, or when its words are "
            "hostile.",
            "Tao 2022; Xiao 2014; Quené 2007 (what is audible)",
            validated=_PLANTED,
        )
        for name, unit, what in (
            ("steadiness_level_db", "dB", "level"),
            ("steadiness_rate_words_per_s", "words/s", "words per second"),
            ("steadiness_pitch_st", "semitones", "pitch"),
        )
    ),
    MetricDefinition(
        "heated_turns",
        "party",
        "count",
        "Customer's turns whose level or rate is more than 1 SD above the mean of the customer's "
        "turns and audibly so (1 dB, 5 %), or whose words are hostile.",
        "Tao 2022; Xiao 2014",
        validated=_PLANTED,
    ),
    *(
        MetricDefinition(
            name,
            "party",
            unit,
            f"Customer's {what}: median over turns in the first quarter of the conversation minus "
            "median over turns in the last. Above 0: it went down.",
            "metrics.md, heat recovery",
            validated=_PLANTED,
        )
        for name, unit, what in (
            ("customer_level_recovery_db", "dB", "level"),
            ("customer_rate_recovery", "words/s", "words per second"),
        )
    ),
    *(
        MetricDefinition(
            f"entrainment_{column}_{kind}",
            "call",
            unit,
            f"{meaning} of {column} in turns that follow each other, each in SD of the party's own "
            "call. A research column: not a quality of anybody.",
            "Levitan & Hirschberg 2011",
        )
        for column in ("level", "rate")
        for kind, unit, meaning in (
            ("proximity", "SD", "Minus the mean difference"),
            ("convergence", "correlation", "Correlation with time of minus the difference"),
            ("synchrony", "correlation", "Correlation"),
        )
    ),
)


# Entrainment: whether two parties come to sound alike (Levitan & Hirschberg 2011).


_COLUMNS = {"level": "level_db", "rate": "rate_words_per_s"}
_KINDS = ("proximity", "convergence", "synchrony")
_LEAST_PAIRS = 8


def _entrainment_metrics(
    turns: Sequence[Turn], sounds: Sequence[TurnProsody], confidence: float
) -> tuple[Metric, ...]:
    """Return three measures for level and three for rate, over adjacent turns."""
    return tuple(
        metric
        for name, column in _COLUMNS.items()
        for metric in _of_column(name, column, turns, sounds, confidence)
    )


def _of_column(
    name: str,
    column: str,
    turns: Sequence[Turn],
    sounds: Sequence[TurnProsody],
    confidence: float,
) -> list[Metric]:
    own = _own_scores(column, sounds)
    pairs = [
        (before.start_s, own[before.index], own[after.index])
        for before, after in pairwise(turns)
        if before.party != after.party and before.index in own and after.index in own
    ]
    names = [f"entrainment_{name}_{kind}" for kind in _KINDS]
    if len(pairs) < _LEAST_PAIRS:
        reason = f"only {len(pairs)} pairs of measured turns, {_LEAST_PAIRS} are needed"
        return [missing_metric(n, None, reason) for n in names]
    at_s, first, second = (np.array(values) for values in zip(*pairs, strict=True))
    likeness = -np.abs(first - second)
    values = (float(likeness.mean()), _correlation(at_s, likeness), _correlation(first, second))
    return [
        missing_metric(n, None, "one side does not vary")
        if value is None
        else Metric(n, None, value, observations=len(pairs), confidence=confidence)
        for n, value in zip(names, values, strict=True)
    ]


def _own_scores(column: str, sounds: Sequence[TurnProsody]) -> dict[int, float]:
    """Return, per turn, how many SD it lies above the party's own mean."""
    scores: dict[int, float] = {}
    for party in {s.party for s in sounds}:
        values = {
            s.turn_index: v
            for s in sounds
            if s.party == party and (v := getattr(s, column)) is not None
        }
        spread = float(np.std(list(values.values()))) if values else 0.0
        if spread > 0:
            mean = float(np.mean(list(values.values())))
            scores |= {index: (value - mean) / spread for index, value in values.items()}
    return scores


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    if x.std() == 0 or y.std() == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


# Steadiness under heat, and whether the heat went down: the agent's behaviour, not feelings.


_AGENT_NAMES = {
    "steadiness_level_db": "level_db",
    "steadiness_rate_words_per_s": "rate_words_per_s",
    "steadiness_pitch_st": "pitch_median_st",
}
_CUSTOMER_NAMES = {
    "customer_level_recovery_db": "level_db",
    "customer_rate_recovery": "rate_words_per_s",
}
_HEATED = "heated_turns"
_LEAST_PER_QUARTER = 2


@dataclass(frozen=True)
class Measured:
    """A turn with its prosody."""

    turn: Turn
    sound: TurnProsody

    def value(self, name: str) -> float | None:
        """Return one column of its prosody."""
        found: float | None = getattr(self.sound, name)
        return found


def _heat_metrics(
    conversation: Conversation,
    turns: Sequence[TurnProsody],
    parties: Sequence[str],
    settings: ProsodySettings,
    hostile: Sequence[Span],
    confidence: float,
) -> tuple[Metric, ...]:
    """Return all measures of heat for every party; those of the other role give a reason.

    A customer's turn is heated when its level or its rate is more than `settings.heated_sd`
    standard deviations above the mean of the customer's turns, and by a difference one can hear
    (1 dB; 5 % of tempo, Quené 2007), or when it meets a hostile span.
    """
    agent = conversation.party_of(RoleName.AGENT)
    customer = conversation.party_of(RoleName.CUSTOMER)
    measured = [Measured(t, p) for t, p in zip(conversation.turns, turns, strict=True)]
    customers = [m for m in measured if m.turn.party == customer]
    heated = _heated(customers, settings, hostile)
    metrics: list[Metric] = []
    for party in parties:
        if agent is None or customer is None:
            metrics += _unsaid(party, "agent and customer are not both known")
        elif party == agent:
            metrics += _steadiness(agent, measured, heated, settings, confidence)
            metrics += [
                missing_metric(n, agent, "said of the customer")
                for n in (_HEATED, *_CUSTOMER_NAMES)
            ]
        elif party == customer:
            metrics += [
                missing_metric(name, customer, "said of the agent") for name in _AGENT_NAMES
            ]
            metrics.append(_heated_count(customer, heated, confidence))
            metrics += _recovery(customer, conversation.turns, customers, confidence)
        else:
            metrics += _unsaid(party, "neither the agent nor the customer")
    return tuple(metrics)


def _unsaid(party: str, reason: str) -> list[Metric]:
    return [
        missing_metric(name, party, reason) for name in (*_AGENT_NAMES, _HEATED, *_CUSTOMER_NAMES)
    ]


def _heated(
    customers: Sequence[Measured], settings: ProsodySettings, hostile: Sequence[Span]
) -> list[Turn] | None:
    """Return the customer's heated turns; None when there are too few turns to judge."""
    found: set[int] = set()
    is_known = bool(hostile)
    for m in customers:
        if any(h.start_s < m.turn.end_s and m.turn.start_s < h.end_s for h in hostile):
            found.add(m.turn.index)
    for name in ("level_db", "rate_words_per_s"):
        values = {m.turn.index: v for m in customers if (v := m.value(name)) is not None}
        if len(values) < settings.min_turns:
            continue
        is_known = True
        mean, spread = np.mean(list(values.values())), np.std(list(values.values()))
        audible = (
            mean + settings.heated_min_level_db
            if name == "level_db"
            else mean * settings.heated_min_rate
        )
        limit = max(mean + settings.heated_sd * spread, audible)
        found |= {index for index, value in values.items() if value > limit}
    return [m.turn for m in customers if m.turn.index in found] if is_known else None


def _heated_count(customer: str, heated: list[Turn] | None, confidence: float) -> Metric:
    if heated is None:
        return missing_metric(
            _HEATED, customer, "too few turns of the customer to know what is usual"
        )
    n = len(heated)
    return Metric(
        _HEATED,
        customer,
        float(n),
        numerator=float(n),
        observations=n,
        confidence=confidence,
        evidence=_spans(heated),
    )


def _steadiness(
    agent: str,
    measured: Sequence[Measured],
    heated: list[Turn] | None,
    settings: ProsodySettings,
    confidence: float,
) -> list[Metric]:
    """Return how the agent's turns that answer a heated one differ from the agent's other turns."""
    if heated is None:
        reason = "too few turns of the customer to know what is usual"
        return [missing_metric(name, agent, reason) for name in _AGENT_NAMES]
    hot = {t.index for t in heated}
    answers: list[Measured] = []
    others: list[Measured] = []
    last_customer: int | None = None
    customer = heated[0].party if heated else None
    for m in measured:
        if m.turn.party == agent:
            (answers if last_customer in hot else others).append(m)
        elif m.turn.party == customer:
            last_customer = m.turn.index
    return [_change(name, agent, answers, others, settings, confidence) for name in _AGENT_NAMES]


def _change(
    name: str,
    agent: str,
    answers: Sequence[Measured],
    others: Sequence[Measured],
    settings: ProsodySettings,
    confidence: float,
) -> Metric:
    column = _AGENT_NAMES[name]
    under_heat = [(m.turn, v) for m in answers if (v := m.value(column)) is not None]
    usual = [v for m in others if (v := m.value(column)) is not None]
    if not under_heat:
        return missing_metric(name, agent, "no measured turn of the agent follows a heated one")
    if len(usual) < settings.min_turns:
        reason = f"only {len(usual)} measured turns of the agent outside heat: no baseline"
        return missing_metric(name, agent, reason)
    return Metric(
        name,
        agent,
        float(np.median([v for _, v in under_heat]) - np.median(usual)),
        observations=len(under_heat),
        coverage=len(under_heat) / len(answers),
        confidence=confidence,
        evidence=_spans([turn for turn, _ in under_heat]),
    )


def _recovery(
    customer: str, turns: Sequence[Turn], customers: Sequence[Measured], confidence: float
) -> list[Metric]:
    """Return the difference of the customer's first and last quarter, by time."""
    start_s, end_s = turns[0].start_s if turns else 0.0, max((t.end_s for t in turns), default=0.0)
    quarter_s = (end_s - start_s) / 4
    metrics = []
    for name, column in _CUSTOMER_NAMES.items():
        values = [(m.turn, v) for m in customers if (v := m.value(column)) is not None]
        early = [(t, v) for t, v in values if _middle_s(t) < start_s + quarter_s]
        late = [(t, v) for t, v in values if _middle_s(t) > end_s - quarter_s]
        if min(len(early), len(late)) < _LEAST_PER_QUARTER:
            reason = (
                f"{len(early)} and {len(late)} measured turns of the customer in the first and the "
                f"last quarter; {_LEAST_PER_QUARTER} each are needed"
            )
            metrics.append(missing_metric(name, customer, reason))
            continue
        change = np.median([v for _, v in early]) - np.median([v for _, v in late])
        metrics.append(
            Metric(
                name,
                customer,
                float(change),
                observations=len(early) + len(late),
                confidence=confidence,
                evidence=_spans([t for t, _ in (*early, *late)]),
            )
        )
    return metrics


def _middle_s(turn: Turn) -> float:
    return (turn.start_s + turn.end_s) / 2


def _spans(turns: Sequence[Turn]) -> tuple[Span, ...]:
    return tuple(Span(t.start_s, t.end_s) for t in turns)


# The stage as a whole.


def measure(
    sound: Sound,
    layout: ChannelLayout,
    speech: Speech,
    transcript: Transcript,
    conversation: Conversation,
    settings: ProsodySettings,
    hostile: Sequence[Span] = (),
) -> Prosody:
    """Measure pitch, level, rate, pauses and spectrum of every turn and party, and steadiness.

    Where parties share a channel, speech over which another speaks is left out. `hostile` are spans
    of hostile words, which make a customer's turn a heated one. Memory grows with the length of
    speech by about 12 kB/s.
    """
    turns = conversation.turns
    parties = tuple(sorted({*speech.parties, *(t.party for t in turns)}))
    heard = {
        p: party_sound(
            p,
            party_frames(sound, _channel_of(p, layout), _own_speech(p, speech, layout), settings),
            turns,
            settings,
        )
        for p in parties
    }
    references = {p: party_prosody(heard[p], settings) for p in parties}
    rows = tuple(turn_prosody(t, heard[t.party], references[t.party], settings) for t in turns)
    metrics = [
        metric
        for p in parties
        for metric in _party_metrics(heard[p], references[p], speech, transcript)
    ]
    metrics += _heat_metrics(conversation, rows, parties, settings, hostile, speech.confidence)
    metrics += _entrainment_metrics(turns, rows, speech.confidence)
    return Prosody(tuple(references.values()), rows, tuple(metrics))


def _channel_of(party: str, layout: ChannelLayout) -> int:
    return ord(party) - ord("A") if layout.kind == "stereo" else 0


def _own_speech(party: str, speech: Speech, layout: ChannelLayout) -> list[Span]:
    """Return the spans in which this party, and on a shared channel nobody else, is heard."""
    own = union(s for s in speech.segments if s.party == party)
    if layout.kind == "stereo":
        return own
    return subtract(own, [s for s in speech.segments if s.party != party])


def _party_metrics(
    heard: PartySound, reference: PartyProsody, speech: Speech, transcript: Transcript
) -> list[Metric]:
    party, frames = heard.party, heard.frames
    spoken_s = total_s(s for s in speech.segments if s.party == party)
    coverage = min(1.0, frames.heard_s / spoken_s) if spoken_s > 0 else 0.0
    voiced, active = int((frames.pitch_hz > 0).sum()), int(frames.active.sum())

    def said(name: str, value: float | None, observations: int, no_answer: str) -> Metric:
        if value is None:
            return missing_metric(name, party, no_answer)
        return Metric(
            name,
            party,
            value,
            observations=observations,
            coverage=coverage,
            confidence=speech.confidence,
        )

    few_voiced = f"only {voiced * frames.hop_s:.1f} s of voiced speech"
    few_turns = f"{len(heard.levels_db)} turns with enough speech"
    no_words = "too few words in any turn" if transcript.words else "no words were recognised"
    return [
        said("pitch_median_hz", reference.pitch_median_hz, voiced, few_voiced),
        said("pitch_iqr_st", reference.pitch_iqr_st, voiced, few_voiced),
        said("level_median_db", reference.level_median_db, len(heard.levels_db), few_turns),
        said("level_iqr_db", reference.level_iqr_db, len(heard.levels_db), few_turns),
        said("loudness_lufs", reference.loudness_lufs, active, "no span of 0.4 s of speech"),
        said(
            "rate_median_words_per_s",
            reference.rate_median_words_per_s,
            len(heard.rates),
            no_words,
        ),
        rate(
            "pause_share",
            party,
            sum(max(0.0, t.duration_s - t.speech_s) for t in heard.turns),
            sum(t.duration_s for t in heard.turns),
            no_answer="the party has no turn",
            confidence=speech.confidence,
        ),
        rate(
            "voiced_share",
            party,
            int((frames.pitch_hz[frames.active] > 0).sum()),
            active,
            no_answer="no speech to analyze",
            coverage=coverage,
            confidence=speech.confidence,
        ),
    ]
