"""Compare a night's calls with the calls of the days before.

A night's calls are those analyzed in it; they are compared with calls analyzed before it, by the
day on which these began, all as they are measured today. Thus a rule that changed and was applied
to all calls is no drift, and a backfill does not count as one night.

The value of a day is the mean over its calls. Usual is the median of the days' values; their spread
is 1.4826 times the median absolute deviation (Huber 1981: the standard deviation, were they
normal), which a few odd days do not move. `z` is the distance from the usual in units of that
spread and of the standard error of a mean of so many calls, added as variances.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import copysign, hypot, inf, sqrt
from statistics import median
from typing import Literal

from warmline.settings import NightSettings

_NORMAL = 1.4826  # of a normal distribution, its standard deviation over its median deviation


@dataclass(frozen=True)
class Watched:
    """A measure that is watched: a column of the view `watched_calls`.

    For a `share`, only a rise matters; a `mean` is watched in both directions, or only when it
    `falls`.
    """

    column: str
    title: str
    kind: Literal["share", "mean", "falling"]


WATCHED = (
    Watched("failed", "failed", "share"),
    Watched("refused", "refused", "share"),
    Watched("no_speech", "without speech", "share"),
    Watched("without_roles", "agent and customer not known", "share"),
    Watched("told_apart_by_voice", "no channel for each party", "share"),
    Watched("role_confidence", "confidence in roles", "falling"),
    Watched("speaker_confidence", "confidence in parties", "falling"),
    Watched("mean_word_probability", "probability of words", "falling"),
    Watched("words_per_min", "words per minute", "mean"),
    Watched("dead_air_share", "share of dead air", "mean"),
    Watched("agent_talk_share", "agent's share of speech", "mean"),
    Watched("cues", "customers' cues per call", "mean"),
    Watched("answered_rate", "cues answered", "mean"),
    Watched("minutes", "minutes per call", "mean"),
    Watched("computing_per_s", "computing s per s of sound", "mean"),
)


@dataclass(frozen=True)
class Day:
    """A watched measure over the calls of one day: mean, standard deviation, number of calls."""

    day: date
    mean: float
    deviation: float
    calls: int


@dataclass(frozen=True)
class Drift:
    """A watched measure of a night beside the days before.

    `value` is None when no call has it. Without enough calls or days to compare, `usual` and `z`
    are None and `why_not` says so. `is_alarm` when the difference is both too large to be chance
    and large enough to matter.
    """

    watched: Watched
    value: float | None
    calls: int
    days: tuple[Day, ...]
    usual: float | None = None
    z: float | None = None
    is_alarm: bool = False
    why_not: str | None = None

    def __str__(self) -> str:
        """Return the drift on one line for a person."""
        return (
            f"{self.watched.title}: {self.text(self.value)} of {self.calls} calls; "
            f"{self.text(self.usual)} is usual (median of {len(self.days)} days)"
        )

    def text(self, value: float | None) -> str:
        """Return a value of this measure as it is written: a share in per cent."""
        if value is None:
            return "-"
        is_share = self.watched.kind == "share"
        return f"{value:.1%}" if is_share else f"{value:.3g}"


def compare(
    watched: Watched, tonight: Day | None, days: Sequence[Day], night: NightSettings
) -> Drift:
    """Return one measure of a night beside the days before, by the settings `night.drift_*`."""
    enough = tuple(day for day in days if day.calls >= night.drift_min_calls)
    if tonight is None:
        return Drift(watched, None, 0, enough, why_not="no call has it")
    found = Drift(watched, tonight.mean, tonight.calls, enough)
    if tonight.calls < night.drift_min_calls:
        return replace(found, why_not=f"fewer than {night.drift_min_calls} calls")
    if len(enough) < night.drift_min_days:
        return replace(found, why_not=f"fewer than {night.drift_min_days} days to compare with")
    usual = median(day.mean for day in enough)
    spread = _NORMAL * median(abs(day.mean - usual) for day in enough)
    scale = hypot(spread, _error(watched, tonight, enough))
    change = tonight.mean - usual
    z = change / scale if scale else copysign(inf, change) if change else 0.0
    is_alarm = abs(z) >= night.drift_z and _matters(watched, tonight.mean, usual, night)
    return replace(found, usual=usual, z=z, is_alarm=is_alarm)


def _error(watched: Watched, tonight: Day, days: Sequence[Day]) -> float:
    """Return the standard error of a mean over so many calls, if they were like the days before.

    Of a share, that night's calls count as well, as in the test of two proportions.
    """
    if watched.kind != "share":
        return median(day.deviation for day in days) / sqrt(tonight.calls)
    every = (*days, tonight)
    hits, of = sum(day.mean * day.calls for day in every), sum(day.calls for day in every)
    share = (hits + 1) / (of + 2)  # Laplace's rule: a share that was never seen is small, not 0
    return sqrt(share * (1 - share) / tonight.calls)


def _matters(watched: Watched, value: float, usual: float, night: NightSettings) -> bool:
    change = value - usual
    if watched.kind == "share":
        return change >= night.drift_share_change and value >= usual * night.drift_share_ratio
    if watched.kind == "falling" and change > 0:
        return False
    return abs(change) >= night.drift_mean_change * abs(usual)
