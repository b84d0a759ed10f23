"""Steadiness under heat, and whether the heat went down: the agent's behaviour, not feelings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from warmline.analysis import TurnProsody
from warmline.metrics import Metric, missing_metric
from warmline.settings import ProsodySettings
from warmline.values import Conversation, RoleName, Span, Turn

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
