"""What came of a run, in counts: never a word that was said."""

from collections import Counter
from dataclasses import dataclass

from warmline.errors import Status
from warmline.pipeline.calls import Outcome
from warmline.pipeline.plan import Plan


@dataclass(frozen=True)
class RunSummary:
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
        """Return all recordings of the run, whatever became of them."""
        done = (outcome.path for outcome in self.outcomes)
        copies = (duplicate.recording.path for duplicate in self.plan.duplicates)
        return [*self.plan.unchanged, *self.plan.given_up, *done, *copies]

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
        """Return the seconds of sound per second of work; None when nothing was heard."""
        return self.audio_s / self.wall_s if self.audio_s and self.wall_s else None

    def as_dict(self) -> dict[str, object]:
        """Return the summary as plain values for a machine to read."""
        return {
            "calls": self.by_status | {"unchanged": len(self.plan.unchanged)},
            "reasons": self.by_reason,
            "given_up": len(self.plan.given_up),
            "unfinished_files": len(self.plan.unfinished),
            "forgotten": len(self.plan.forgotten),
            "opted_out": len(self.plan.opted_out),
            "audio_s": round(self.audio_s, 1),
            "wall_s": round(self.wall_s, 1),
            "problems": list(self.plan.problems),
        }
