"""What came of a run, in counts: never a word that was said."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from warmline.errors import Status
from warmline.pipeline.calls import Outcome
from warmline.pipeline.plan import Plan

_SLOWEST = 5


@dataclass(frozen=True)
class Tally:
    """A run in counts. `wall_s` is the time it took as a whole."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    wall_s: float

    @property
    def by_status(self) -> dict[str, int]:
        """Calls by how they ended, copies of others included."""
        counts = Counter(outcome.status.value for outcome in self.outcomes)
        counts[Status.DUPLICATE.value] = sum(not d.has_landed for d in self.plan.duplicates)
        return {status.value: counts[status.value] for status in Status}

    @property
    def by_reason(self) -> dict[str, int]:
        """Calls without an analysis by the code of the reason, the most frequent first."""
        return dict(Counter(o.code for o in self.outcomes if o.code).most_common())

    @property
    def paths(self) -> list[str]:
        """All recordings of the run, whatever became of them."""
        done = (outcome.path for outcome in self.outcomes)
        return [*self.plan.unchanged, *done, *(d.recording.path for d in self.plan.duplicates)]

    @property
    def failed(self) -> int:
        """Calls that failed by a fault, and that the next run tries again."""
        return self.by_status[Status.FAILED]

    @property
    def audio_s(self) -> float:
        """Length of all recordings that could be heard."""
        return sum(outcome.audio_s or 0.0 for outcome in self.outcomes)

    @property
    def times_real_time(self) -> float | None:
        """Seconds of sound for each second of work; None when nothing was heard."""
        return self.audio_s / self.wall_s if self.audio_s and self.wall_s else None

    def as_dict(self) -> dict[str, object]:
        """For a machine to read."""
        return {
            "calls": self.by_status | {"unchanged": len(self.plan.unchanged)},
            "reasons": self.by_reason,
            "unfinished_files": len(self.plan.unfinished),
            "forgotten": len(self.plan.forgotten),
            "audio_s": round(self.audio_s, 1),
            "wall_s": round(self.wall_s, 1),
            "problems": list(self.plan.problems),
        }

    def as_markdown(self) -> str:
        """A report for a person; names files and reasons, no transcript."""
        speed = self.times_real_time
        rows = [*self.by_status.items(), ("unchanged", len(self.plan.unchanged))]
        parts = [
            "# Calls analyzed",
            _table(("calls", "count"), rows),
            f"{self.audio_s / 3600:.2f} h of sound in {self.wall_s / 60:.1f} min"
            + (f", {speed:.1f} x real time." if speed else "."),
        ]
        if self.by_reason:
            parts += ["## Why not analyzed", _table(("reason", "count"), self.by_reason.items())]
        failures = [(o.call_id, o.reason) for o in self.outcomes if o.status is Status.FAILED]
        if failures:
            parts += ["## Failed, to be tried again", _table(("call", "why"), failures)]
        slowest = sorted(self.outcomes, key=lambda o: -o.wall_s)[:_SLOWEST]
        if slowest:
            times = [(o.call_id, f"{o.wall_s:.1f}") for o in slowest]
            parts += ["## Slowest calls", _table(("call", "seconds"), times)]
        if self.plan.problems:
            parts += ["## Also", "\n".join(f"- {problem}" for problem in self.plan.problems)]
        return "\n\n".join(parts) + "\n"


def _table(head: tuple[str, str], rows: Iterable[tuple[object, object]]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---:|"]
    lines += [f"| {_cell(a)} | {_cell(b)} |" for a, b in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")
