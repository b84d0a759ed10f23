"""How each turn sounded, relative to the same speaker's own call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warmline.analysis import Metric, PartyProsody, TurnProsody, missing_metric
from warmline.prosody.frames import THIRD_OCTAVES_HZ, PartyFrames, decibels
from warmline.settings import ProsodySettings
from warmline.values import Conversation, RoleName, Span, Turn

Numbers = NDArray[np.floating]


@dataclass(frozen=True)
class PartySound:
    """One party's frames and turns, with the level and rate of the turns that have one."""

    party: str
    frames: PartyFrames
    turns: tuple[Turn, ...]
    levels_db: Mapping[int, float]
    rates: Mapping[int, float]


def party_sound(
    party: str, frames: PartyFrames, turns: Sequence[Turn], settings: ProsodySettings
) -> PartySound:
    """Gather the data of a party's reference; keys are turn indices."""
    own = tuple(t for t in turns if t.party == party)
    levels_db = {t.index: db for t in own if (db := _level_db(t, frames, settings)) is not None}
    rates = {
        t.index: t.word_count / t.speech_s
        for t in own
        if t.speech_s >= settings.min_turn_s and t.word_count >= settings.min_rate_words
    }
    return PartySound(party, frames, own, levels_db, rates)


def party_prosody(sound: PartySound, settings: ProsodySettings) -> PartyProsody:
    """Return the party's reference over the whole call; None where there is too little speech."""
    levels, rates = list(sound.levels_db.values()), list(sound.rates.values())
    voiced = sound.frames.pitch_hz[sound.frames.pitch_hz > 0]
    has_pitch = len(voiced) * sound.frames.hop_s >= settings.min_reference_s
    return PartyProsody(
        party=sound.party,
        pitch_median_hz=float(np.median(voiced)) if has_pitch else None,
        pitch_iqr_st=_interquartile(12 * np.log2(voiced)) if has_pitch else None,
        level_median_db=float(np.median(levels)) if levels else None,
        level_iqr_db=_interquartile(levels) if len(levels) >= settings.min_turns else None,
        loudness_lufs=sound.frames.loudness_lufs,
        rate_median_words_per_s=float(np.median(rates)) if rates else None,
    )


def turn_prosody(
    turn: Turn, sound: PartySound, reference: PartyProsody, settings: ProsodySettings
) -> TurnProsody:
    """Return one turn's row; fields with too little speech are None."""
    part = sound.frames.within(turn)
    pitch_hz, active = sound.frames.pitch_hz[part], sound.frames.active[part]
    voiced = pitch_hz > 0
    above = None
    if voiced.sum() * sound.frames.hop_s >= settings.min_voiced_s and reference.pitch_median_hz:
        above = 12 * np.log2(pitch_hz[voiced] / reference.pitch_median_hz)
    level_db, usual_db = sound.levels_db.get(turn.index), reference.level_median_db
    paused = max(0.0, 1 - turn.speech_s / turn.duration_s) if turn.duration_s > 0 else None
    return TurnProsody(
        turn_index=turn.index,
        party=turn.party,
        pitch_median_st=None if above is None else float(np.median(above)),
        pitch_iqr_st=None if above is None else _interquartile(above),
        pitch_slope_st_per_s=(
            None if above is None else _slope(sound.frames.time_s[part][voiced], above)
        ),
        level_db=level_db,
        level_rel_db=None if level_db is None or usual_db is None else level_db - usual_db,
        rate_words_per_s=sound.rates.get(turn.index),
        pause_share=paused if turn.speech_s >= settings.min_turn_s else None,
        spectral_tilt_db_per_octave=(
            None if above is None else _tilt(sound.frames.bands[part][voiced])
        ),
        voiced_share=None if level_db is None else float(voiced[active].mean()),
    )


def _level_db(turn: Turn, frames: PartyFrames, settings: ProsodySettings) -> float | None:
    """Return the mean power of the turn's speech, without the bridged pauses."""
    part = frames.within(turn)
    active = frames.active[part]
    if active.sum() * frames.hop_s < settings.min_turn_s:
        return None
    return float(decibels(np.mean(frames.energy[part][active], keepdims=True))[0])


def _interquartile(values: Numbers | Sequence[float]) -> float:
    low, high = np.percentile(values, [25, 75])
    return float(high - low)


def _slope(at: Numbers, values: Numbers) -> float:
    """Return the least-squares slope of `values` over `at`."""
    centred = at - at.mean()
    return float(centred @ (values - values.mean()) / (centred @ centred))


def _tilt(bands: Numbers) -> float:
    """Return the slope of the turn's long-term average spectrum, 300 to 3400 Hz, dB per octave."""
    return _slope(np.log2(THIRD_OCTAVES_HZ), decibels(bands.mean(axis=0)))


# Steadiness under heat, and whether the heat went down: the agent's behaviour, not feelings.


AGENT_NAMES = {
    "steadiness_level_db": "level_db",
    "steadiness_rate_words_per_s": "rate_words_per_s",
    "steadiness_pitch_st": "pitch_median_st",
}
CUSTOMER_NAMES = {
    "customer_level_recovery_db": "level_db",
    "customer_rate_recovery": "rate_words_per_s",
}
HEATED = "heated_turns"
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


def heat_metrics(
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
                missing_metric(n, agent, "said of the customer") for n in (HEATED, *CUSTOMER_NAMES)
            ]
        elif party == customer:
            metrics += [missing_metric(name, customer, "said of the agent") for name in AGENT_NAMES]
            metrics.append(_heated_count(customer, heated, confidence))
            metrics += _recovery(customer, conversation.turns, customers, confidence)
        else:
            metrics += _unsaid(party, "neither the agent nor the customer")
    return tuple(metrics)


def _unsaid(party: str, reason: str) -> list[Metric]:
    return [missing_metric(name, party, reason) for name in (*AGENT_NAMES, HEATED, *CUSTOMER_NAMES)]


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
            HEATED, customer, "too few turns of the customer to know what is usual"
        )
    n = len(heated)
    return Metric(
        HEATED,
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
        return [missing_metric(name, agent, reason) for name in AGENT_NAMES]
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
    return [_change(name, agent, answers, others, settings, confidence) for name in AGENT_NAMES]


def _change(
    name: str,
    agent: str,
    answers: Sequence[Measured],
    others: Sequence[Measured],
    settings: ProsodySettings,
    confidence: float,
) -> Metric:
    column = AGENT_NAMES[name]
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
    for name, column in CUSTOMER_NAMES.items():
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
