"""The line that tells how far a batch of calls is, how fast it goes, and when it will be done."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from warmline.cli.terminal import messages
from warmline.errors import Status
from warmline.pipeline import Outcome, PlannedCall

if TYPE_CHECKING:
    from rich.progress import Progress

_MARKS = {
    Status.ANALYZED: "[green]ok[/]     ",
    Status.NO_SPEECH: "[yellow]silent[/] ",
    Status.REFUSED: "[yellow]refused[/]",
    Status.FAILED: "[red]failed[/] ",
    Status.DUPLICATE: "[dim]double[/] ",
}


class BatchProgress:
    """Shows a bar over the batch and a line for each call that ends.

    The bar is weighted by file size, which is known beforehand and grows with a call's length; of a
    call under way it counts the share that is done.
    """

    def __init__(self, bar: "Progress", calls: tuple[PlannedCall, ...]) -> None:
        self._bar = bar
        self._sizes = {call.path: max(call.recording.size_bytes, 1) for call in calls}
        self._count = len(calls)
        self._ended = 0
        self._ended_size = 0
        self._audio_s = 0.0
        self._start = perf_counter()
        self._task = bar.add_task("", total=sum(self._sizes.values()), state=self._state())

    def ended(self, outcome: Outcome) -> None:
        """Note that a call has ended."""
        self._ended += 1
        self._audio_s += outcome.audio_s or 0.0
        note = outcome.reason or _speed(outcome.audio_s, outcome.wall_s)
        from rich.markup import escape

        self._bar.console.print(
            f"{_MARKS[outcome.status]} {escape(outcome.call_id)}  [dim]{escape(note)}[/]",
            soft_wrap=True,
        )
        self._ended_size += self._sizes[outcome.path]
        self._bar.update(self._task, completed=self._ended_size, state=self._state())

    def under_way(self, shares: Mapping[str, float]) -> None:
        """Note how much is done of the calls in hand."""
        done = sum(self._sizes[path] * share for path, share in shares.items())
        self._bar.update(self._task, completed=self._ended_size + done, state=self._state())

    def _state(self) -> str:
        speed = _speed(self._audio_s, perf_counter() - self._start)
        return f"{self._ended} of {self._count} calls" + (f", {speed}" if speed else "")


@contextmanager
def batch_progress(calls: tuple[PlannedCall, ...]) -> Iterator[BatchProgress]:
    """A progress bar on standard error while calls are analyzed."""
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        TextColumn("[dim]left[/]"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    with Progress(*columns, console=messages(), transient=True) as bar:
        yield BatchProgress(bar, calls)


def _speed(audio_s: float | None, wall_s: float) -> str:
    if not audio_s or wall_s <= 0:
        return ""
    return f"{audio_s / wall_s:.1f} x real time"
