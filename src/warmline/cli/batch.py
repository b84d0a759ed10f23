"""A batch of recordings from the command line: plan, analyze with progress, publish, report."""

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import typer
from rich.markup import escape

from warmline.cli.progress import batch_progress
from warmline.cli.summary import print_summary, summary_rows
from warmline.cli.terminal import ExitCode, messages, output
from warmline.errors import WarmlineError
from warmline.pipeline import (
    Addressing,
    Order,
    Redo,
    Tally,
    Workers,
    all_measures,
    land_duplicates,
    make_plan,
)
from warmline.places import Places
from warmline.recordings.metadata import read_table
from warmline.settings import PlaceSettings, Settings
from warmline.warehouse import PublishReport, publish


@dataclass(frozen=True)
class Batch:
    """What came of a batch."""

    tally: Tally
    published: PublishReport
    places: Places

    @property
    def exit_code(self) -> ExitCode:
        """`SOME_CALLS_FAILED` if any did; a refused recording is an answer, not a failure."""
        return ExitCode.SOME_CALLS_FAILED if self.tally.failed else ExitCode.DONE


def run_batch(
    sources: Sequence[Path | str],
    settings: Settings,
    places: Places,
    metadata: Path | None = None,
    redo: Redo | None = None,
    *,
    allow_loss: bool = False,
) -> Batch:
    """Do everything that is pending under `sources`, paths and URLs, and publish.

    Raises `WarmlineError` for what concerns the batch as a whole. When interrupted, what was
    finished has landed, and the next run goes on from there.
    """
    paths = [source for source in sources if isinstance(source, Path)]
    # Path.exists raises where we may not look; the plan says what such a place is.
    missing = [str(path) for path in paths if not os.path.lexists(path)]
    if missing:
        raise WarmlineError(
            f"no such file or folder, or no permission to see it: {', '.join(missing)}"
        )
    started = perf_counter()
    addressing = Addressing.of(settings)
    table = read_table(metadata) if metadata else None
    with messages().status("looking for recordings"):
        plan = make_plan(sources, places.landing, addressing, table, redo)
        if plan.away:
            raise WarmlineError("; ".join(plan.away))
        land_duplicates(plan, places.landing, settings)
    outcomes = []
    if plan.pending:
        order = Order(addressing, str(places.landing), str(metadata) if metadata else None)
        with (
            Workers(order, len(plan.pending)) as workers,
            batch_progress(plan.pending) as progress,
        ):
            outcomes = workers.analyze_all(plan.pending, progress.ended, progress.under_way)
    with messages().status("publishing the warehouse"):
        published = publish(
            places.landing,
            places.warehouse,
            all_measures(),
            settings.profile,
            allow_loss=allow_loss,
        )
    return Batch(Tally(plan, tuple(outcomes), perf_counter() - started), published, places)


def print_batch(batch: Batch, as_json: bool) -> None:
    """The counts, a table with a row for each call, and what to type next."""
    tally = batch.tally
    rows = summary_rows(batch.places.warehouse, tally.paths)
    if as_json:
        places = {"landing": batch.places.landing, "warehouse": batch.places.warehouse}
        typer.echo(json.dumps(tally.as_dict() | places | {"rows": rows}, indent=2, default=str))
        return
    for problem in tally.plan.problems:
        messages().print(f"[yellow]note:[/] {escape(problem)}", soft_wrap=True)
    for name, why in batch.published.unreadable.items():
        messages().print(f"[yellow]note:[/] landing file {escape(name)}: {escape(why)}")
    output().print(_sentence(tally), soft_wrap=True)
    output().print()
    print_summary(rows)
    _print_next(batch.places.warehouse, rows)


def _sentence(tally: Tally) -> str:
    unchanged = len(tally.plan.unchanged)
    before = f"{unchanged} recording{'s' if unchanged != 1 else ''} done before"
    if tally.plan.forgotten:
        before += f", {len(tally.plan.forgotten)} forgotten and left alone"
    if tally.plan.opted_out:
        before += f", {len(tally.plan.opted_out)} of customers who opted out, and left alone"
    if tally.plan.unfinished:
        before += f", {len(tally.plan.unfinished)} still being written and left for the next run"
    if tally.plan.given_up:
        before += f", {len(tally.plan.given_up)} left alone after failing too often"
        before += " (`warmline retry`)"
    if tally.plan.is_done:
        plan = tally.plan
        found = tally.paths or plan.unfinished or plan.forgotten or plan.opted_out
        return f"Nothing to be done: {before}." if found else "No recordings found."
    counts = [
        f"{count} {name.replace('_', ' ')}" for name, count in tally.by_status.items() if count
    ]
    left = (
        tally.plan.forgotten or tally.plan.opted_out or tally.plan.given_up or tally.plan.unfinished
    )
    if unchanged or left:
        counts.append(before)
    speed = f", {tally.times_real_time:.1f} x real time" if tally.times_real_time else ""
    sound = f"{tally.audio_s / 60:.1f} min of sound in {tally.wall_s:.0f} s{speed}"
    return f"{', '.join(counts)}; {sound}."


def _print_next(warehouse: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Commands that go on from here, to be copied."""
    analyzed = [row["call_id"] for row in rows if row["status"] == "analyzed"]
    if not analyzed:
        return
    place = "" if str(warehouse) == PlaceSettings().warehouse else f" --warehouse {warehouse}"
    richest = max(rows, key=lambda row: row["opportunities"] or 0)["call_id"]
    question = "select call_id, agent_talk_share, answered_rate from call_summary"
    output().print("\nNext:", style="bold")
    for command in (
        f"warmline show {shlex.quote(richest)}{place}",
        f'warmline query{place} "{question}"',
        f"warmline query{place} --list",
    ):
        output().print(f"  {escape(command)}", soft_wrap=True)
