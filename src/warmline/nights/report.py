"""What is told of a night: counts, failures, the slowest calls, and what is not as it was."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from warmline.nights.drift import Drift
from warmline.pipeline import Tally


@dataclass(frozen=True)
class RunFacts:
    """What only the run itself knows; the rest of a report is read from the warehouse.

    `given_up` counts calls that were left alone because they failed too often, `unfinished` files
    that were still being copied, `forgotten` and `opted_out` recordings that were left alone, as
    their calls were erased or their customers opted out. `erased_calls` and `erased_words` count
    what was too old to be kept (`[retention]`).
    """

    wall_s: float
    done_before: int
    given_up: int
    unfinished: int
    problems: tuple[str, ...]
    forgotten: int = 0
    opted_out: int = 0
    erased_calls: int = 0
    erased_words: int = 0

    @classmethod
    def of(cls, tally: Tally, erased_calls: int = 0, erased_words: int = 0) -> "RunFacts":
        """The facts of a run that has ended."""
        plan = tally.plan
        return cls(
            tally.wall_s,
            len(plan.unchanged),
            len(plan.given_up),
            len(plan.unfinished),
            plan.problems,
            len(plan.forgotten),
            len(plan.opted_out),
            erased_calls,
            erased_words,
        )


@dataclass(frozen=True)
class FailedCall:
    """A call that failed; `is_last_try` when it is left alone from now on."""

    call_id: str
    code: str
    reason: str
    is_last_try: bool


@dataclass(frozen=True)
class SlowCall:
    """A call that took long: computing time and length, seconds."""

    call_id: str
    computing_s: float
    duration_s: float | None


@dataclass(frozen=True)
class NightReport:
    """A night in counts and reasons, without a word that was said in a call.

    `by_status` counts all recordings that were looked at, `by_reason` those without an analysis, by
    status and code. `failed` and `slowest` are the first few. `unreadable` counts landing files
    that are damaged. `usual_calls` is the median number of calls of the days before that had any,
    `idle_days` how many had none; None without such days.
    """

    night: date
    by_status: dict[str, int]
    by_reason: dict[tuple[str, str], int]
    audio_s: float
    computing_s: float
    failed: tuple[FailedCall, ...]
    given_up: int
    slowest: tuple[SlowCall, ...]
    unreadable: int
    drifts: tuple[Drift, ...]
    usual_calls: float | None = None
    idle_days: int = 0
    run: RunFacts | None = None

    @property
    def calls(self) -> int:
        """Recordings that were looked at."""
        return sum(self.by_status.values())

    @property
    def alarms(self) -> tuple[str, ...]:
        """What asks for a person, a line each: counts and measures, and no call's name."""
        return tuple(self._alarms())

    def _alarms(self) -> Iterator[str]:
        if self.calls == 0 and self.usual_calls and self.idle_days == 0:
            yield f"no calls came in; {self.usual_calls:.0f} a day are usual"
        yield from (str(drift) for drift in self.drifts if drift.is_alarm)
        if self.given_up:
            yield f"calls that failed too often and wait for `warmline retry`: {self.given_up}"
        if self.unreadable:
            yield f"landing files that are damaged: {self.unreadable}; `warmline query failures`"
