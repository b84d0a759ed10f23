"""`warmline outcomes`: load what became of customers from a CSV file, tied to their calls."""

import json
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from warmline.cli.options import (
    JsonOption,
    LandingOption,
    SettingsOption,
    WarehouseOption,
    settings_from,
)
from warmline.cli.terminal import messages, output
from warmline.warehouse.landing_folder import known_places

if TYPE_CHECKING:
    from warmline.outcomes import OutcomeReport

app = typer.Typer(
    help="What became of customers: churn, ratings, repeat purchases, tied to their calls.",
    no_args_is_help=True,
)

_PROBLEMS_SHOWN = 10


@app.callback()
def outcomes() -> None:
    """Load what became of customers (churn, ratings, repeat purchases), tied to their calls."""


@app.command()
def load(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="Outcomes, one a line or one a column.")
    ],
    skip_unreadable: Annotated[
        bool,
        typer.Option(
            "--skip-unreadable", help="Load the other lines of a file that has unreadable ones."
        ),
    ] = False,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Load outcomes of customers, and report which could be matched to a call.

    Columns: customer_id (or call_id), date, and either outcome and value, one outcome per line, or
    a column for each: retained or churned, nps, csat, review_stars, repeat_purchase, anything else.
    Loading a file again changes nothing; a later file corrects an earlier one. Outcomes are kept in
    the landing folder; one whose call is analyzed later is matched then.
    """
    from warmline.outcomes import load_outcomes
    from warmline.pipeline import all_measures

    chosen = settings_from(settings)
    places = known_places(chosen, landing, warehouse)
    named = chosen.recordings.timezone
    with messages().status("loading outcomes and publishing the warehouse"):
        report = load_outcomes(
            file,
            places.landing,
            places.warehouse,
            all_measures(),
            zone=UTC if named == "UTC" else ZoneInfo(named),
            skip_unreadable=skip_unreadable,
        )
    if as_json:
        typer.echo(json.dumps(asdict(report), default=str, indent=2))
    else:
        _print(report)


def _print(report: "OutcomeReport") -> None:
    from rich.markup import escape

    def say(line: str) -> None:
        output().print(line, soft_wrap=True)

    names = ", ".join(f"{count} {name}" for name, count in sorted(report.names.items()))
    say(f"{report.rows} lines of {escape(report.source)}: {escape(names)}")
    say(f"  [bold]{report.new}[/] new, {report.corrected} corrected, {report.known} known before")
    say(f"  [green]{report.matched}[/] matched to a call")
    for reason, count in sorted(report.unmatched.items()):
        say(f"  [yellow]{count}[/] kept, but {reason}")
    if report.repeated:
        say(f"  [yellow]{report.repeated}[/] duplicates in the file, counted once")
    if report.forgotten:
        say(f"  {report.forgotten} of customers who were erased or opted out: not kept")
    if report.empty:
        say(f"  {report.empty} empty cells: nothing is known there")
    if report.unreadable:
        say(f"  [red]{len(report.unreadable)}[/] unreadable, left out:")
    for line in report.unreadable[:_PROBLEMS_SHOWN]:
        say(f"    line {line.line}, {escape(line.problem or '')}")
    if len(report.unreadable) > _PROBLEMS_SHOWN:
        say("    ... all of them are in the table landing.outcome_lines")
    if report.ignored:
        say(f"  columns that are no outcome, left out: {escape(', '.join(report.ignored))}")
