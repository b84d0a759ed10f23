"""What is told of a night: counts, failures, the slowest calls, and what is not as it was."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from warmline.nights.drift import Drift
from warmline.pipeline import Tally
from warmline.settings import NightSettings


@dataclass(frozen=True)
class RunFacts:
    """What only the run itself knows; the rest of a report is read from the warehouse.

    `given_up` counts calls that were left alone because they failed too often, `unfinished` files
    that were still being copied, `unread` sources that cannot be read, `closed` folders below
    others, `forgotten` and `opted_out` recordings that were left alone, as their calls were erased
    or their customers opted out. `erased_calls` and `erased_words` count what was too old to be
    kept (`[retention]`). `notes` are what asks for a person besides; `problems` say more of all of
    these.
    """

    wall_s: float
    done_before: int
    given_up: int
    unfinished: int
    problems: tuple[str, ...]
    started_at: datetime | None = None
    unread: int = 0
    closed: int = 0
    notes: tuple[str, ...] = ()
    forgotten: int = 0
    opted_out: int = 0
    erased_calls: int = 0
    erased_words: int = 0

    @property
    def alarms(self) -> tuple[str, ...]:
        """What asks for a person in the run itself: counts, and nobody's name."""
        lines = [f"sources that cannot be read: {self.unread}"] if self.unread else []
        if self.closed:
            lines.append(f"folders that cannot be looked into: {self.closed}")
        return (*lines, *self.notes)

    @classmethod
    def of(
        cls,
        tally: Tally,
        started_at: datetime | None = None,
        notes: tuple[str, ...] = (),
        erased_calls: int = 0,
        erased_words: int = 0,
    ) -> "RunFacts":
        """The facts of a run that has ended."""
        plan = tally.plan
        return cls(
            tally.wall_s,
            len(plan.unchanged),
            len(plan.given_up),
            len(plan.unfinished),
            plan.problems,
            started_at,
            len(plan.away),
            len(plan.closed),
            notes,
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
    `idle_days` how many had none; None without such days. `calls_of_day` counts what the whole day
    looked at, of which a run is a part; `shares` are those of calls without an analysis that are
    too large; `runs` are all of the day, where the report is the day's.
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
    calls_of_day: int = 0
    shares: tuple[str, ...] = ()
    runs: tuple[RunFacts, ...] = ()

    @property
    def title(self) -> str:
        """Its day; the run's time as well where it is the report of one run."""
        at = self.run.started_at if self.run else None
        return f"Night of {self.night}" + (f", run of {at:%H:%M:%S} UTC" if at else "")

    @property
    def calls(self) -> int:
        """Recordings that were looked at."""
        return sum(self.by_status.values())

    @property
    def alarms(self) -> tuple[str, ...]:
        """What asks for a person, a line each: counts and measures, and no call's name."""
        return tuple(self._alarms())

    def _alarms(self) -> Iterator[str]:
        for run in (self.run,) if self.run else self.runs:
            when = f" (run of {run.started_at:%H:%M:%S} UTC)" if run.started_at else ""
            yield from (alarm if run is self.run else f"{alarm}{when}" for alarm in run.alarms)
        if self.calls_of_day == 0 and self.usual_calls and self.idle_days == 0:
            yield f"no calls came in; {self.usual_calls:.0f} a day are usual"
        yield from self.shares
        yield from (str(drift) for drift in self.drifts if drift.is_alarm)
        if self.given_up:
            yield f"calls that failed too often and wait for `warmline retry`: {self.given_up}"
        if self.unreadable:
            yield f"landing files that are damaged: {self.unreadable}; `warmline query failures`"


def shares_too_large(by_status: Mapping[str, int], night: NightSettings) -> tuple[str, ...]:
    """Return a line for each share of calls without an analysis that is above its limit.

    It needs no days to compare with: a night in which nothing could be analyzed is no good first
    night. Copies of other recordings do not count.
    """
    calls = sum(count for status, count in by_status.items() if status != "duplicate")
    failed = by_status.get("failed", 0)
    unanalyzed = calls - by_status.get("analyzed", 0)
    lines = []
    if calls and failed / calls > night.alarm_failed_share:
        lines.append(f"calls that failed: {failed} of {calls}")
    if calls and unanalyzed > failed and unanalyzed / calls > night.alarm_unanalyzed_share:
        lines.append(f"calls without an analysis (refused, no speech): {unanalyzed} of {calls}")
    return tuple(lines)
