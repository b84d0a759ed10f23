"""A run from the command line: its progress, its summary, and what to type next."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.markup import escape

from warmline.cli.common import ExitCode, counted, messages, output, print_rows
from warmline.database import open_for_reading
from warmline.errors import Status
from warmline.files import Places
from warmline.pipeline.calls import Outcome, RunConfig, RunSummary
from warmline.pipeline.plan import Plan, PlannedCall
from warmline.pipeline.workers import Workers, have_sound
from warmline.query.calls import clock
from warmline.reports.report import left_for_later
from warmline.run import (
    RunHooks,
    Runner,
    RunRequest,
    RunResult,
    require_read,
    require_there,
    run,
)
from warmline.settings import PlaceSettings

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")

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

    def __init__(self, bar: "Progress", calls: Sequence[PlannedCall]) -> None:
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
        """Show how much is done of the calls being analyzed."""
        done = sum(self._sizes[path] * share for path, share in shares.items())
        self._bar.update(self._task, completed=self._ended_size + done, state=self._state())

    def _state(self) -> str:
        speed = _speed(self._audio_s, perf_counter() - self._start)
        return f"{self._ended} of {self._count} calls" + (f", {speed}" if speed else "")


@contextmanager
def batch_progress(calls: Sequence[PlannedCall]) -> Iterator[BatchProgress]:
    """Show a progress bar on standard error while calls are analyzed."""
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


# The table after an analysis: one row a call, the headline measures side by side.


_ROWS = """
SELECT call_id, status, reason, duration_s, speaker_source, role_confidence, agent_talk_share,
    customer_talk_share, dead_air_s, agent_interruptions, customer_interruptions,
    agent_latency_median_s, opportunities, answered, answered_rate, path
FROM call_summary
WHERE path IN (SELECT unnest($paths))
ORDER BY status <> 'analyzed', call_id
"""
_STYLES = {"analyzed": "green", "failed": "red"}


def summary_rows(warehouse: Path, paths: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of `call_summary` for the recordings at these paths."""
    with open_for_reading(warehouse) as con:
        result = con.execute(_ROWS, {"paths": list(paths)})
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def print_summary(rows: Sequence[dict[str, Any]]) -> None:
    """Print analyzed calls as a table, the others below it with their reasons."""
    from rich.table import Table

    analyzed = [row for row in rows if row["status"] == "analyzed"]
    if analyzed:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        table.add_column("call", overflow="ellipsis", no_wrap=True, max_width=18)
        for heading in ("length", "talk a:c", "interrupts", "dead air", "answered", "sure"):
            table.add_column(heading, justify="right", no_wrap=True)
        for row in analyzed:
            table.add_row(*_cells(row))
        print_rows(table)
        output().print(
            "a:c = agent : customer (talk in %, interruptions); answered = cues of the customer's "
            "feelings;\nsure = confidence in who is agent and who is customer.",
            style="dim",
        )
    for row in rows:
        if row["status"] != "analyzed":
            style = _STYLES.get(row["status"], "yellow")
            name = Path(row["path"]).name
            reason = row["reason"] or name
            said = reason if reason.startswith(name) else f"{name}: {reason}"
            output().print(f"[{style}]{row['status']:<9}[/] {escape(said)}", soft_wrap=True)


def _cells(row: dict[str, Any]) -> list[str]:
    sure = row["role_confidence"]
    return [
        escape(row["call_id"]),
        clock(row["duration_s"]),
        _pair(row["agent_talk_share"], row["customer_talk_share"], 100),
        _pair(row["agent_interruptions"], row["customer_interruptions"], 1),
        "-" if row["dead_air_s"] is None else f"{row['dead_air_s']:.1f} s",
        _of(row["answered"], row["opportunities"]),
        "no roles" if sure is None else f"{sure:.2f}",
    ]


def _pair(agent: float | None, customer: float | None, scale: int) -> str:
    if agent is None and customer is None:
        return "-"
    return ":".join("-" if v is None else f"{v * scale:.0f}" for v in (agent, customer))


def _of(answered: float | None, opportunities: float | None) -> str:
    if opportunities is None:
        return "-"
    return (
        f"{opportunities:.0f} cues"
        if answered is None
        else f"{answered:.0f} of {opportunities:.0f}"
    )


_STEPS = {
    "plan": "looking for recordings",
    "retain": "erasing what the settings do not keep any longer",
    "compact": "merging landed files",
    "publish": "publishing the warehouse",
}


class _ShownRun(RunHooks):
    """Shows on standard error how far a run is, and refuses what cannot be read before any work."""

    def step(self, name: str, work: Callable[[], T]) -> T:
        """Carry out a step, and show its name meanwhile."""
        with messages().status(_STEPS[name]):
            return work()

    def planned(self, plan: Plan) -> None:
        """Raise `WarmlineError` if a source cannot be read: whoever typed it can correct it now."""
        require_read(plan)

    def ended(self, outcome: Outcome) -> None:
        """Show a line for the call."""
        self._progress.ended(outcome)

    @contextmanager
    def runner(self, config: RunConfig, calls: Sequence[PlannedCall]) -> Iterator[Runner]:
        """Start processes on this machine, and the progress bar."""
        with (
            Workers(config, len(calls), listens=have_sound(calls)) as workers,
            batch_progress(calls) as self._progress,
        ):
            yield partial(workers.analyze, on_wait=self._progress.under_way)


def run_shown(request: RunRequest) -> RunResult:
    """Run what is pending, and show progress. Raises as `run`, and for missing paths."""
    require_there(request.sources)
    return run(request, _ShownRun())


def exit_code(result: RunResult) -> ExitCode:
    """Return `SOME_CALLS_FAILED` if any did; a refused recording is an answer, not a failure."""
    return ExitCode.SOME_CALLS_FAILED if result.summary.failed else ExitCode.DONE


def print_run(result: RunResult, at: Places, as_json: bool) -> None:
    """Print counts, a table with a row for each call, and what to type next."""
    summary = result.summary
    rows = summary_rows(at.warehouse, summary.paths)
    if as_json:
        more = {
            "landing": at.landing,
            "warehouse": at.warehouse,
            "notes": result.notes,
            "too_old_and_erased": asdict(result.retained),
            "rows": rows,
        }
        typer.echo(json.dumps(summary.as_dict() | more, indent=2, default=str))
        return
    for problem in (*summary.plan.problems, *left_for_later(summary.plan.unfinished)):
        messages().print(f"[yellow]note:[/] {escape(problem)}", soft_wrap=True)
    for note in result.notes:
        messages().print(f"[yellow]note:[/] {escape(note)}", soft_wrap=True)
    if result.retained.calls or result.retained.words:
        calls = counted(result.retained.calls, "call")
        erased = f"{calls}, and the words of {result.retained.words}"
        messages().print(f"erased as older than [retention] allows: {erased}", markup=False)
    output().print(_sentence(summary), soft_wrap=True)
    output().print()
    print_summary(rows)
    _print_next(at.warehouse, rows)


def _sentence(summary: RunSummary) -> str:
    unchanged = summary.plan.done_before
    before = f"{unchanged} recording{'s' if unchanged != 1 else ''} done before"
    if summary.plan.forgotten:
        before += f", {len(summary.plan.forgotten)} forgotten and left alone"
    if summary.plan.opted_out:
        before += f", {len(summary.plan.opted_out)} of customers who opted out, and left alone"
    if summary.plan.unfinished:
        before += f", {len(summary.plan.unfinished)} still being written and left for the next run"
    if summary.plan.given_up:
        before += f", {len(summary.plan.given_up)} left alone after failing too often"
        before += " (`warmline retry`)"
    if summary.plan.is_done:
        plan = summary.plan
        found = summary.paths or plan.unfinished or plan.forgotten or plan.opted_out
        return f"Nothing to be done: {before}." if found else "No recordings found."
    counts = [
        f"{count} {name.replace('_', ' ')}" for name, count in summary.by_status.items() if count
    ]
    left = (
        summary.plan.forgotten
        or summary.plan.opted_out
        or summary.plan.given_up
        or summary.plan.unfinished
    )
    if unchanged or left:
        counts.append(before)
    speed = f", {summary.times_real_time:.1f} x real time" if summary.times_real_time else ""
    sound = f"{summary.audio_s / 60:.1f} min of sound in {summary.wall_s:.0f} s{speed}"
    return f"{', '.join(counts)}; {sound}."


def _print_next(warehouse: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Print commands to copy that continue from here."""
    analyzed = [row["call_id"] for row in rows if row["status"] == "analyzed"]
    if not analyzed:
        return
    named = f" --warehouse {shlex.quote(str(warehouse))}"
    place = "" if str(warehouse) == PlaceSettings().warehouse else named
    richest = max(rows, key=lambda row: row["opportunities"] or 0)["call_id"]
    question = "select call_id, agent_talk_share, answered_rate from call_summary"
    output().print("\nNext:", style="bold")
    for command in (
        # a call may be called --help
        f"warmline show{place} {'-- ' * richest.startswith('-')}{shlex.quote(richest)}",
        f'warmline query{place} "{question}"',
        f"warmline query{place} --list",
    ):
        output().print(f"  {escape(command)}", soft_wrap=True)
