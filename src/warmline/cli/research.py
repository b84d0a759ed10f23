"""`warmline research`: relate outcomes to how the calls went, and how many calls that takes."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warmline.cli.options import JsonOption, SettingsOption, WarehouseOption, settings_from
from warmline.cli.render_research import (
    print_detectable,
    print_needed,
    print_reliabilities,
    print_study,
)
from warmline.cli.terminal import messages
from warmline.errors import QueryError
from warmline.files import write_text_whole
from warmline.places import places_of
from warmline.research.design import CONTROLS, MEASURES, Correction, Design, Effects

if TYPE_CHECKING:
    from warmline.research.calibration import Calibration
    from warmline.research.study import Study

app = typer.Typer(
    help="Outcomes set beside how the calls went: what is associated with what, how surely.",
    no_args_is_help=True,
)

Number = float | None


def _number(meaning: str, default: str | bool = False) -> Any:
    """Return an option for a number that may be left out."""
    return typer.Option(help=meaning, show_default=default)


OutcomeOption = Annotated[
    str, typer.Option("--outcome", help="Which outcome, as `warmline outcomes load` named it.")
]
MeasureOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A measure of docs/metrics.md or a column of call_measures; may be repeated.",
        show_default=False,
    ),
]
ControlOption = Annotated[
    list[str] | None,
    typer.Option(
        help="What is held equal: contact_reason, duration, queue, opening (the customer's state "
        "in the first quarter), opening_level, month, team, direction, language, or none; may be "
        f"repeated. By default {', '.join(CONTROLS)}.",
        show_default=False,
    ),
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
EffectOption = Annotated[
    Number,
    _number(
        "The outcome's change per SD of the measure to be seen; of a share, as a share (0.02 is 2 "
        "percentage points)."
    ),
]
CallsOption = Annotated[
    int | None,
    typer.Option(help="Instead: how small an effect so many calls show.", show_default=False),
]
SimulatedOption = Annotated[
    bool, typer.Option("--simulated", help="Simulated calls instead of real ones.")
]


@app.command()
def retention(
    outcome: OutcomeOption = "retained",
    measure: MeasureOption = None,
    control: ControlOption = None,
    effects: Annotated[
        Effects, typer.Option(help="Compare agents with themselves, as draws of many, or not.")
    ] = Effects.FIXED,
    correction: Annotated[
        Correction, typer.Option(help="How p-values allow for there being several measures.")
    ] = Correction.BH,
    since: SinceOption = None,
    until: UntilOption = None,
    within_days: Annotated[
        float,
        typer.Option(
            min=0,
            help="Of retained: still there so many days after the call. Of others: an outcome "
            "counts for a call at most so long before it.",
        ),
    ] = Design.within_days,
    after_days: Annotated[
        float,
        typer.Option(
            min=0,
            help="Of retained: only calls after which the customer stayed so many days; who calls "
            "to leave leaves whatever the agent does.",
        ),
    ] = Design.after_days,
    exclude_reason: Annotated[
        list[str] | None,
        typer.Option(help="Leave out calls of this reason; may be repeated.", show_default=False),
    ] = None,
    min_n: Annotated[int, typer.Option(min=10, help="Fewest complete calls for an estimate.")] = (
        Design.min_n
    ),
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            help="A filled-in sheet of `warmline annotate`: corrects answered_rate for errors of "
            "recognition; may be repeated, one an annotator.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="The key that was written beside the sheet.", show_default=False),
    ] = None,
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
    """Relate an outcome to measures of the calls before it, within agents, and write a report.

    What is found is an association: the report lists other explanations. Measures without a result
    have a reason.
    """
    from warmline.research.study import run_study

    if bool(labels) != (key is not None):
        raise typer.BadParameter("--labels and --key go together")
    design = Design(
        outcome=outcome,
        measures=tuple(dict.fromkeys(measure or MEASURES)),
        controls=_controls(control),
        effects=effects,
        correction=correction,
        since=since.date() if since else None,
        until=until.date() if until else None,
        within_days=within_days,
        after_days=after_days,
        excluded_reasons=tuple(dict.fromkeys(exclude_reason or ())),
        min_n=min_n,
        is_simulated=simulated,
    )
    path = places_of(settings_from(settings), None, warehouse).warehouse
    with messages().status("reading calls and outcomes, fitting models"):
        by = _calibration(labels, key, path, design) if labels and key else None
        study = run_study(path, design, by)
        files = _write(study, to or Path(f"research-{outcome}"))
    if as_json:
        typer.echo(files[1].read_text(encoding="utf-8"), nl=False)
    else:
        print_study(study, files[0])


@app.command()
def reliability(
    measure: MeasureOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    exclude_reason: Annotated[
        list[str] | None,
        typer.Option(help="Leave out calls of this reason; may be repeated.", show_default=False),
    ] = None,
    simulated: SimulatedOption = False,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report how far each measure tells agents apart, and how many calls a fair comparison takes.

    Agents differ by chance, too. A reliability of 0.7 means that 70 % of the differences between
    agents' means would recur with other calls of theirs; below that, a ranking is mostly luck.
    """
    from warmline.research.reliability import read_reliabilities
    from warmline.research.sample import require_libraries

    require_libraries()
    design = Design(
        measures=tuple(dict.fromkeys(measure or MEASURES)),
        since=since.date() if since else None,
        until=until.date() if until else None,
        excluded_reasons=tuple(dict.fromkeys(exclude_reason or ())),
        is_simulated=simulated,
    )
    path = places_of(settings_from(settings), None, warehouse).warehouse
    print_reliabilities(read_reliabilities(path, design), as_json)


@app.command()
def power(
    effect: EffectOption = None,
    calls: CallsOption = None,
    outcome: Annotated[
        str | None,
        typer.Option(help="Take spread, ICCs and losses from this outcome in the warehouse."),
    ] = None,
    measure: Annotated[
        str, typer.Option(help="With --outcome: the measure to take them from.")
    ] = MEASURES[0],
    base_rate: Annotated[
        Number, _number("Share of the outcome, for one that is yes or no.")
    ] = None,
    outcome_sd: Annotated[Number, _number("SD of an outcome that is a number.")] = None,
    calls_per_agent: Annotated[Number, _number("Calls of each agent.", "200")] = None,
    icc_outcome: Annotated[
        Number, _number("Share of the outcome's variance between agents.", "0.05")
    ] = None,
    icc_measure: Annotated[
        Number, _number("Share of the measure's variance between agents.", "0.10")
    ] = None,
    explained: Annotated[
        Number, _number("Share of the outcome's variance the controls take.", "0")
    ] = None,
    reliability: Annotated[
        Number, _number("Share of the measure's variance that is no error.", "1")
    ] = None,
    usable: Annotated[Number, _number("Share of calls with outcome and measure.", "1")] = None,
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
    """Report how many calls it takes to see an effect of a given size, with calls grouped by agent.

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
        print_needed(effect, plan, as_json)
    else:
        print_detectable(calls or 0, plan, as_json)


def _controls(given: Sequence[str] | None) -> tuple[str, ...]:
    if not given:
        return CONTROLS
    if "none" in given and len(given) > 1:
        raise QueryError("--control none stands alone")
    return () if "none" in given else tuple(dict.fromkeys(given))


def _calibration(
    labels: Sequence[Path], key: Path, warehouse: Path, design: Design
) -> "Calibration":
    """Read labels and how they go with what was recognised."""
    from warmline.annotation import read_key, read_sheet
    from warmline.research.calibration import calibration
    from warmline.research.sample import read_recognised

    known = read_key(key)
    sheets = [read_sheet(path, known) for path in labels]
    return calibration(sheets, known, read_recognised(warehouse, design))


def _write(study: "Study", folder: Path) -> tuple[Path, Path]:
    """Return the report and the results."""
    from warmline.research.report import write_report
    from warmline.research.words import as_dict

    page = write_report(study, folder)[0]
    results = folder / "results.json"
    text = json.dumps(as_dict(study), indent=2, default=str, allow_nan=False)
    return page, write_text_whole(results, f"{text}\n", QueryError, "the results")
