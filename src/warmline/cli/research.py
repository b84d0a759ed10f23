"""`warmline research`: outcomes set beside how the calls went, and how many calls that takes."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warmline.cli.options import JsonOption, SettingsOption, WarehouseOption, settings_from
from warmline.cli.terminal import messages, output
from warmline.errors import QueryError
from warmline.places import places_of
from warmline.research.design import CONTROLS, MEASURES, Correction, Design, Effects

if TYPE_CHECKING:
    from warmline.research.study import Study

app = typer.Typer(
    help="Outcomes set beside how the calls went: what is associated with what, how surely.",
    no_args_is_help=True,
)

OutcomeOption = Annotated[
    str, typer.Option("--outcome", help="Which outcome, as `warmline outcomes load` named it.")
]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        help="Only calls that began on this day or later, UTC.",
        show_default=False,
    ),
]
UntilOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        help="Only calls that began before this day, UTC.",
        show_default=False,
    ),
]
SimulatedOption = Annotated[
    bool, typer.Option("--simulated", help="Simulated calls instead of real ones.")
]


@app.command()
def retention(
    outcome: OutcomeOption = "retained",
    measure: Annotated[
        list[str] | None,
        typer.Option(
            help="A measure of docs/metrics.md or a column of call_measures; may be repeated.",
            show_default=False,
        ),
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option(
            help="What is held equal: contact_reason, duration, queue, opening (the customer's "
            "state in the first quarter), opening_level, month, team, direction, language, or "
            f"none; may be repeated. By default {', '.join(CONTROLS)}.",
            show_default=False,
        ),
    ] = None,
    effects: Annotated[
        Effects, typer.Option(help="Compare agents with themselves, as draws of many, or not.")
    ] = Effects.FIXED,
    correction: Annotated[
        Correction, typer.Option(help="How p-values allow for there being several measures.")
    ] = Correction.BH,
    since: SinceOption = None,
    until: UntilOption = None,
    within_days: Annotated[
        float, typer.Option(min=0, help="An outcome counts for a call at most so long before it.")
    ] = Design.within_days,
    min_n: Annotated[int, typer.Option(min=10, help="Fewest complete calls for an estimate.")] = (
        Design.min_n
    ),
    simulated: SimulatedOption = False,
    to: Annotated[
        Path | None,
        typer.Option(
            help="Folder for report.html, its pictures and results.json; by default "
            "research-OUTCOME here.",
            show_default=False,
        ),
    ] = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set an outcome beside measures of the calls before it, within agents, and write a report.

    What is found is an association: the report says what could bring it about otherwise. Measures
    of which nothing can be said have a reason.
    """
    from warmline.research.study import run_study

    design = Design(
        outcome=outcome,
        measures=tuple(dict.fromkeys(measure or MEASURES)),
        controls=_controls(control),
        effects=effects,
        correction=correction,
        since=since.date() if since else None,
        until=until.date() if until else None,
        within_days=within_days,
        min_n=min_n,
        is_simulated=simulated,
    )
    path = places_of(settings_from(settings), None, warehouse).warehouse
    with messages().status("reading calls and outcomes, fitting models"):
        study = run_study(path, design)
        files = _write(study, to or Path(f"research-{outcome}"))
    if as_json:
        typer.echo(files[1].read_text(encoding="utf-8"), nl=False)
    else:
        _print_study(study, files[0])


@app.command()
def power(
    effect: Annotated[
        float | None,
        typer.Option(
            help="The outcome's change per SD of the measure to be seen; of a share, as a share "
            "(0.02 is 2 percentage points).",
            show_default=False,
        ),
    ] = None,
    calls: Annotated[
        int | None,
        typer.Option(help="Instead: how small an effect so many calls show.", show_default=False),
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(help="Take spread, ICCs and losses from this outcome in the warehouse."),
    ] = None,
    measure: Annotated[
        str, typer.Option(help="With --outcome: the measure to take them from.")
    ] = MEASURES[0],
    base_rate: Annotated[
        float | None,
        typer.Option(help="Share of the outcome, for one that is yes or no.", show_default=False),
    ] = None,
    outcome_sd: Annotated[
        float | None, typer.Option(help="SD of an outcome that is a number.", show_default=False)
    ] = None,
    calls_per_agent: Annotated[
        float | None, typer.Option(help="Calls of each agent.", show_default="200")
    ] = None,
    icc_outcome: Annotated[
        float | None,
        typer.Option(help="Share of the outcome's variance between agents.", show_default="0.05"),
    ] = None,
    icc_measure: Annotated[
        float | None,
        typer.Option(help="Share of the measure's variance between agents.", show_default="0.10"),
    ] = None,
    explained: Annotated[
        float | None,
        typer.Option(help="Share of the outcome's variance the controls take.", show_default="0"),
    ] = None,
    reliability: Annotated[
        float | None,
        typer.Option(help="Share of the measure's variance that is no error.", show_default="1"),
    ] = None,
    usable: Annotated[
        float | None,
        typer.Option(help="Share of calls with outcome and measure.", show_default="1"),
    ] = None,
    tests: Annotated[int, typer.Option(min=1, help="How many measures are tried.")] = 1,
    alpha: Annotated[float, typer.Option(help="Accepted chance of a false alarm.")] = 0.05,
    wanted: Annotated[
        float, typer.Option("--power", help="Wanted chance of seeing the effect.")
    ] = 0.8,
    simulated: SimulatedOption = False,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how many calls it takes to see an effect of a given size, calls coming in agents.

    The spread of the outcome comes from --base-rate, --outcome-sd, or the warehouse (--outcome).
    """
    from warmline.research.planning import plan_from

    if (effect is None) == (calls is None):
        raise typer.BadParameter("give --effect or --calls, one of them")
    given = {
        "calls_per_agent": calls_per_agent,
        "icc_outcome": icc_outcome,
        "icc_measure": icc_measure,
        "explained": explained,
        "reliability": reliability,
        "usable": usable,
        "tests": tests,
        "alpha": alpha,
        "power": wanted,
    }
    path = places_of(settings_from(settings), None, warehouse).warehouse
    design = None
    if outcome is not None:
        design = Design(outcome=outcome, measures=(measure,), controls=(), is_simulated=simulated)
    plan = plan_from(path, design, base_rate, outcome_sd, given)
    if effect is not None:
        _print_needed(effect, plan, as_json)
    else:
        _print_detectable(calls or 0, plan, as_json)


def _controls(given: Sequence[str] | None) -> tuple[str, ...]:
    if not given:
        return CONTROLS
    if "none" in given and len(given) > 1:
        raise QueryError("--control none stands alone")
    return () if "none" in given else tuple(dict.fromkeys(given))


def _write(study: "Study", folder: Path) -> tuple[Path, Path]:
    """The report and the results."""
    from warmline.research.report import write_report
    from warmline.research.words import as_dict

    page = write_report(study, folder)[0]
    results = folder / "results.json"
    text = json.dumps(as_dict(study), indent=2, default=str, allow_nan=False)
    results.write_text(text + "\n", encoding="utf-8")
    return page, results


def _print_study(study: "Study", page: Path) -> None:
    from rich.markup import escape
    from rich.table import Table

    from warmline.research.words import lead, scale_of

    scale, unit = scale_of(study)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("measure", "n", "agents", f"{unit} per SD", "p", "corrected"):
        table.add_column(heading, justify="left" if heading == "measure" else "right")
    for a in study.associations:
        front = (escape(a.measure), str(a.n), str(a.agents))
        if a.adjusted is None:
            continue
        e = a.adjusted
        told = f"{e.value * scale:+.2f} [{e.low * scale:+.2f}, {e.high * scale:+.2f}]"
        table.add_row(*front, escape(told), f"{e.p:.3f}", f"{a.p_corrected:.3f}")
    output().print(escape(lead(study)), soft_wrap=True)
    output().print()
    if study.told:
        output().print(table)
    for a in study.associations:
        if a.reason:
            output().print(f"[yellow]{escape(a.measure)}[/]: {escape(a.reason)}", soft_wrap=True)
    for caution in study.cautions:
        output().print(f"[yellow]note:[/] {escape(caution)}", soft_wrap=True)
    output().print(f"\n{escape(str(page))}", soft_wrap=True)


def _print_needed(effect: float, plan: Any, as_json: bool) -> None:
    from warmline.research.power import needed

    found = needed(effect, plan)
    if as_json:
        typer.echo(json.dumps({"effect": effect} | asdict(plan) | asdict(found), indent=2))
        return
    output().print(
        f"An effect of {effect:+g} per SD of the measure, seen {plan.power:.0%} of times:"
    )
    output().print(f"  [bold]{found.within:,}[/] calls, agents compared with themselves")
    output().print(
        f"  {found.pooled:,} calls, all compared with all (design effect {found.design_effect:.2f})"
    )
    output().print(f"  {found.independent:,} if calls had nothing to do with agents", style="dim")
    if plan.usable < 1:
        output().print(
            f"  that is {found.within_recorded:,} recorded calls, as {plan.usable:.0%} of them "
            "have both outcome and measure"
        )
    output().print(f"  at {plan.calls_per_agent:g} calls each: {found.agents:,} agents")
    _print_plan(plan)


def _print_detectable(calls: int, plan: Any, as_json: bool) -> None:
    from warmline.research.power import detectable

    smallest = detectable(calls, plan)
    if as_json:
        typer.echo(json.dumps({"calls": calls, "detectable": smallest} | asdict(plan), indent=2))
        return
    output().print(
        f"{calls:,} usable calls show an effect of [bold]{smallest:.3g}[/] per SD of the measure "
        f"{plan.power:.0%} of times, agents compared with themselves"
    )
    _print_plan(plan)


def _print_plan(plan: Any) -> None:
    said = ", ".join(f"{name} {value:.3g}" for name, value in asdict(plan).items())
    output().print(f"assumed: {said}", style="dim")
