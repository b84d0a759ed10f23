"""The values of measures: none travels without its counts, its reservations and its evidence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from warmline.values import Span


@dataclass(frozen=True)
class MetricDefinition:
    """The definition of a measure, loaded into the warehouse beside its values.

    `level` is `party` or `call`. `unit` is `s`, `share`, `count`, `per_min`, `dB`, `semitones`, ...
    `version` rises whenever the same call could get another value. `validated` says in a few words
    against what it was validated, or `no`.
    """

    name: str
    level: str
    unit: str
    definition: str
    source: str
    version: int = 1
    validated: str = "no"


@dataclass(frozen=True)
class Metric:
    """One measure of a call, or of one party in it.

    A rate is `numerator / denominator`; a count has its count in `numerator`; a median has
    `observations`. `coverage` (0..1) is the share of the relevant material that could be examined.
    `value is None` means that it cannot be measured, and `reason` says why: NULL is not zero.
    """

    name: str
    party: str | None
    value: float | None
    numerator: float | None = None
    denominator: float | None = None
    observations: int | None = None
    coverage: float = 1.0
    confidence: float = 1.0
    reason: str | None = None
    evidence: tuple[Span, ...] = ()


def rate(
    name: str,
    party: str | None,
    numerator: float,
    denominator: float,
    *,
    no_answer: str,
    coverage: float = 1.0,
    confidence: float = 1.0,
    evidence: tuple[Span, ...] = (),
) -> Metric:
    """Return a rate with its counts; without a denominator its value is None for the reason
    `no_answer`.
    """
    known = denominator > 0
    return Metric(
        name=name,
        party=party,
        value=numerator / denominator if known else None,
        numerator=numerator,
        denominator=denominator,
        coverage=coverage,
        confidence=confidence,
        reason=None if known else no_answer,
        evidence=evidence,
    )


def count(
    name: str,
    party: str | None,
    evidence: Sequence[Span],
    *,
    coverage: float = 1.0,
    confidence: float = 1.0,
) -> Metric:
    """Return a count of events, each of them in the evidence."""
    spans = tuple(Span(e.start_s, e.end_s) for e in evidence)
    n = float(len(spans))
    return Metric(
        name,
        party,
        n,
        numerator=n,
        observations=len(spans),
        coverage=coverage,
        confidence=confidence,
        evidence=spans,
    )


def missing_metric(name: str, party: str | None, reason: str) -> Metric:
    """Return a metric without a value, with the reason why it cannot be measured."""
    return Metric(name, party, None, coverage=0.0, confidence=0.0, reason=reason)


def suppress_parties(metrics: Iterable[Metric], reason: str) -> tuple[Metric, ...]:
    """Return the metrics with party-level values replaced by the reason; call-level ones stay."""
    return tuple(
        m
        if m.party is None
        else replace(
            m,
            value=None,
            numerator=None,
            denominator=None,
            observations=None,
            coverage=0.0,
            confidence=0.0,
            reason=reason,
            evidence=(),
        )
        for m in metrics
    )
