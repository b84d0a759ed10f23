"""What a measure is: a value that never travels without its counts, its doubts and its evidence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from warmline.values import Span


@dataclass(frozen=True)
class MetricDefinition:
    """The definition of a measure, loaded into the warehouse beside its values.

    `level` is `party` or `call`. `unit` is `s`, `share`, `count`, `per_min`, `dB`, `semitones`, ...
    `version` rises whenever the same call could get another value. `validated` says in a few words
    against what, or `no`.
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
    """One measure of one call, or of one party in it.

    A rate is `numerator / denominator`; a count has its count in `numerator`; a median has
    `observations`. `coverage` (0..1) is the share of what should be looked at that could be.
    `value is None` means "cannot be said", and then `reason` says why: NULL is not zero.
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
    """A rate with its counts; without a denominator there is no value, and `no_answer` says why."""
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
    """A count of things that happened, each of them in the evidence."""
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
    """A measure that cannot be said, with the reason."""
    return Metric(name, party, None, coverage=0.0, confidence=0.0, reason=reason)


def suppress_parties(metrics: Iterable[Metric], reason: str) -> tuple[Metric, ...]:
    """Party-level measures lose their value and gain the reason; call-level ones stay."""
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
