"""`warmline outcomes` and `research`: load outcomes, relate them, plan how many it takes."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from warmline.cli.common import (
    JsonOption,
    LandingOption,
    SettingsOption,
    WarehouseOption,
    counted,
    messages,
    note_access,
    output,
    settings_from,
)
from warmline.cli.render_research import (
    print_detectable,
    print_needed,
    print_study,
)
from warmline.cli.research_agents import (
    AfterOption,
    CallsOption,
    ControlOption,
    CorrectionOption,
    EffectOption,
    EffectsOption,
    ExcludeOption,
    KeyOption,
    LabelsOption,
    LeastOption,
    MeasureOption,
    ModelOption,
    NegativeOption,
    Number,
    OutcomeOption,
    SimulatedOption,
    SinceOption,
    UntilOption,
    WithinOption,
    agents,
    controls_from,
    fairness,
    number,
    training,
)
from warmline.errors import QueryError
from warmline.files import places_of, write_text_whole
from warmline.research import MEASURES, Correction, Design, Effects, Model
from warmline.warehouse.landing_folder import known_places

if TYPE_CHECKING:
    from warmline.research.calibration import Calibration
    from warmline.research.provenance import Provenance
    from warmline.research.study import Study
    from warmline.warehouse.outcomes import OutcomeReport


outcomes = typer.Typer(
    help="What became of customers: churn, ratings, repeat purchases, tied to their calls.",
    no_args_is_help=True,
)

_PROBLEMS_SHOWN = 10


@outcomes.callback()
def _outcomes() -> None:
    """Load what became of customers (churn, ratings, repeat purchases), tied to their calls."""


@outcomes.command()
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
    from warmline.pipeline.stages import all_measures
    from warmline.warehouse.outcomes import load_outcomes

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
        _print_loaded(report)


def _print_loaded(report: "OutcomeReport") -> None:
    from rich.markup import escape

    def say(line: str) -> None:
        output().print(line, soft_wrap=True)

    names = ", ".join(f"{count} {name}" for name, count in sorted(report.names.items()))
    say(f"{counted(report.rows, 'line')} of {escape(report.source)}: {escape(names)}")
    say(f"  [bold]{report.new}[/] new, {report.corrected} corrected, {report.known} known before")
    played = report.simulated
    apart = f", {played} of them simulated: they count only with --simulated" if played else ""
    say(f"  [green]{report.matched}[/] matched to a call{apart}")
    for reason, count in sorted(report.unmatched.items()):
        say(f"  [yellow]{count}[/] kept, but {reason}")
    for doubt in report.doubts:
        say(f"  [yellow]note:[/] {escape(doubt)}")
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


# `warmline research`: how outcomes relate to how the calls went, and how many calls that takes.

app = typer.Typer(
    help="Outcomes set beside how the calls went: what is associated with what, how surely.",
    no_args_is_help=True,
)

#: Options that are fields of a design by the same name.
_AS_IS = ("outcome", "effects", "model", "correction", "within_days", "after_days", "min_n")

for _command in (training, agents, fairness):
    app.command()(_command)


PlanOption = Annotated[
    Path | None,
    typer.Option(
        help="A plan of `warmline research plan`: its design is taken, and what other options "
        "change is told as not planned.",
        show_default=False,
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder for report.html, its pictures and results.json; by default "
        "research-OUTCOME here.",
        show_default=False,
    ),
]


@app.command()
def retention(
    context: typer.Context,
    outcome: OutcomeOption = "retained",
    measure: MeasureOption = None,
    control: ControlOption = None,
    effects: EffectsOption = Effects.FIXED,
    model: ModelOption = Model.LINEAR,
    correction: CorrectionOption = Correction.BH,
    since: SinceOption = None,
    until: UntilOption = None,
    within_days: WithinOption = Design.within_days,
    after_days: AfterOption = Design.after_days,
    exclude_reason: ExcludeOption = None,
    min_n: LeastOption = Design.min_n,
    negative_control: NegativeOption = None,
    plan: PlanOption = None,
    labels: LabelsOption = None,
    key: KeyOption = None,
    simulated: SimulatedOption = False,
    to: ReportOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Relate an outcome to measures of the calls before it, within agents, and write a report.

    What is found is an association: the report lists other explanations. Measures without a result
    have a reason. Labels (--labels, --key) correct answered_rate for errors of recognition.
    """
    from warmline.research.provenance import command_of, read_plan
    from warmline.research.study import run_study

    if bool(labels) != (key is not None):
        raise typer.BadParameter("--labels and --key go together")
    planned = read_plan(plan) if plan else None
    design = _design(
        context,
        planned or Design(),
        outcome=outcome,
        measure=measure,
        control=control,
        effects=effects,
        model=model,
        correction=correction,
        since=since,
        until=until,
        within_days=within_days,
        after_days=after_days,
        exclude_reason=exclude_reason,
        min_n=min_n,
        negative_control=negative_control,
        simulated=simulated,
    )
    path = places_of(settings_from(settings), None, warehouse).warehouse
    with messages().status("reading calls and outcomes, fitting models"):
        by = _calibration(labels, key, path, design) if labels and key else None
        words = [f"--labels {label}" for label in labels or ()] + ([f"--key {key}"] if key else [])
        study = run_study(path, design, by, planned, command_of(design, more=words))
        files = _write(study, to or Path(f"research-{design.outcome}"))
    if as_json:
        typer.echo(files[1].read_text(encoding="utf-8"), nl=False)
    else:
        print_study(study, files[0])


@app.command()
def plan(
    context: typer.Context,
    to: Annotated[Path, typer.Argument(help="The file to write.", metavar="PLAN.json")],
    outcome: OutcomeOption = "retained",
    measure: MeasureOption = None,
    control: ControlOption = None,
    effects: EffectsOption = Effects.FIXED,
    model: ModelOption = Model.LINEAR,
    correction: CorrectionOption = Correction.BH,
    since: SinceOption = None,
    until: UntilOption = None,
    within_days: WithinOption = Design.within_days,
    after_days: AfterOption = Design.after_days,
    exclude_reason: ExcludeOption = None,
    min_n: LeastOption = Design.min_n,
    negative_control: NegativeOption = None,
    simulated: SimulatedOption = False,
) -> None:
    """Write down what will be asked, before looking: measures, controls, horizon, model.

    `warmline research retention --plan PLAN.json` then does just that; its report carries the
    plan's digest, and tells what was done otherwise. Give the digest to somebody, or the file to a
    registry, before the outcomes are in.
    """
    from warmline.pipeline.stages import all_measures
    from warmline.research.provenance import freeze
    from warmline.research.sample import require_measures

    design = _design(
        context,
        Design(),
        outcome=outcome,
        measure=measure,
        control=control,
        effects=effects,
        model=model,
        correction=correction,
        since=since,
        until=until,
        within_days=within_days,
        after_days=after_days,
        exclude_reason=exclude_reason,
        min_n=min_n,
        negative_control=negative_control,
        simulated=simulated,
    )
    require_measures(design.measures, {definition.name for definition in all_measures()})
    digest = freeze(design, to)
    output().print(f"{to}: digest {digest[:16]}", soft_wrap=True)


@app.command("export")
def export_table(
    context: typer.Context,
    to: Annotated[Path, typer.Argument(help="The folder to write to.", metavar="FOLDER")],
    outcome: OutcomeOption = "retained",
    measure: MeasureOption = None,
    control: ControlOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    within_days: WithinOption = Design.within_days,
    after_days: AfterOption = Design.after_days,
    exclude_reason: ExcludeOption = None,
    simulated: SimulatedOption = False,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Write the rows of a study without names and days, with a codebook, to be read by R.

    Agents and customers have numbers by lot; rare words are taken together. It is less personal
    data, and still some: docs/research.md says what is left.
    """
    from warmline.research.provenance import command_of, provenance, write_export
    from warmline.research.sample import read_sample, require_libraries

    require_libraries()
    design = _design(
        context,
        Design(),
        outcome=outcome,
        measure=measure,
        control=control,
        since=since,
        until=until,
        within_days=within_days,
        after_days=after_days,
        exclude_reason=exclude_reason,
        simulated=simulated,
    )
    path = places_of(settings_from(settings), None, warehouse).warehouse
    sample = read_sample(path, design)
    note_access(path, "research export", calls=set(sample.frame["call_id"]), rows=len(sample.frame))
    made = provenance(path, design, command_of(design, f"export {to}"))
    table, *others = write_export(sample, design, made, path, to)
    output().print(f"{len(sample.frame)} calls: {table}", soft_wrap=True)
    messages().print(f"beside it {', '.join(p.name for p in others)}", style="dim")


PilotOption = Annotated[
    str | None,
    typer.Option(help="Take spread, ICCs and losses from this outcome in the warehouse."),
]
PilotMeasureOption = Annotated[
    str, typer.Option(help="With --outcome: the measure to take them from.")
]
BaseRateOption = Annotated[Number, number("Share of the outcome, for one that is yes or no.")]
OutcomeSdOption = Annotated[Number, number("SD of an outcome that is a number.")]
EachOption = Annotated[Number, number("Calls of each agent.", "200")]
IccOutcomeOption = Annotated[
    Number, number("Share of the outcome's variance between agents.", "0.05")
]
IccMeasureOption = Annotated[
    Number, number("Share of the measure's variance between agents.", "0.10")
]
ExplainedOption = Annotated[
    Number, number("Share of the outcome's variance the controls take.", "0")
]
ExplainedMeasureOption = Annotated[
    Number, number("Share of the measure's variance the controls take.", "0")
]
ReliabilityOption = Annotated[
    Number,
    number(
        "Share of the measure's variance that is no error.",
        "1; with --outcome, of answered_rate as few cues a call leave it",
    ),
]
BalanceOption = Annotated[
    Number,
    number("How many agents with equal numbers of calls one of the agents is worth.", "0.9"),
]
WeeksOption = Annotated[Number, number("Over how many weeks the calls come.", "13")]
UsableOption = Annotated[Number, number("Share of calls with outcome and measure.", "1")]
TestsOption = Annotated[int, typer.Option(min=1, help="How many measures are tried.")]
AlphaOption = Annotated[float, typer.Option(help="Accepted chance of a false alarm.")]
PowerOption = Annotated[float, typer.Option("--power", help="Wanted chance of seeing the effect.")]


@app.command()
def power(
    effect: EffectOption = None,
    calls: CallsOption = None,
    outcome: PilotOption = None,
    measure: PilotMeasureOption = MEASURES[0],
    base_rate: BaseRateOption = None,
    outcome_sd: OutcomeSdOption = None,
    calls_per_agent: EachOption = None,
    icc_outcome: IccOutcomeOption = None,
    icc_measure: IccMeasureOption = None,
    explained: ExplainedOption = None,
    explained_measure: ExplainedMeasureOption = None,
    reliability: ReliabilityOption = None,
    balance: BalanceOption = None,
    weeks: WeeksOption = None,
    usable: UsableOption = None,
    tests: TestsOption = 1,
    alpha: AlphaOption = 0.05,
    wanted: PowerOption = 0.8,
    simulated: SimulatedOption = False,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report how many calls it takes to see an effect of a given size, with calls grouped by agent.

    The spread of the outcome comes from --base-rate, --outcome-sd, or the warehouse (--outcome).
    """
    from warmline.research.power import plan_from

    if (effect is None) == (calls is None):
        raise typer.BadParameter("give --effect or --calls, one of them")
    given = {
        "calls_per_agent": calls_per_agent,
        "icc_outcome": icc_outcome,
        "icc_measure": icc_measure,
        "explained": explained,
        "explained_measure": explained_measure,
        "reliability": reliability,
        "balance": balance,
        "weeks": weeks,
        "usable": usable,
        "tests": tests,
        "alpha": alpha,
        "power": wanted,
    }
    path = places_of(settings_from(settings), None, warehouse).warehouse
    design = None
    if outcome is not None:
        design = Design(outcome=outcome, measures=(measure,), is_simulated=simulated)
    plan = plan_from(path, design, base_rate, outcome_sd, given)
    told = {"effect": effect, "calls": calls, "base_rate": base_rate, "outcome_sd": outcome_sd}
    made = _made_of_power(path, design, told | given)
    if effect is not None:
        print_needed(effect, plan, made, as_json)
    else:
        print_detectable(calls or 0, plan, made, as_json)


def _made_of_power(warehouse: Path, design: Design | None, given: dict[str, Any]) -> "Provenance":
    """Return what a plan of calls rests on: what was typed, and the calls where it read some."""
    from warmline.research.provenance import command_of, provenance, without_warehouse

    words = [
        f"--{name.replace('_', '-')} {value:g}"
        for name, value in given.items()
        if value is not None
    ]
    if design is None:
        return without_warehouse(" ".join(["warmline research power", *words]))
    command = command_of(design, "power", ("outcome", "measures"), words)
    return provenance(warehouse, design, command, is_study=False)


def _design(context: typer.Context, base: Design, **options: Any) -> Design:
    """Return a design with the options that were typed in place of its own."""
    given = {name: value for name, value in options.items() if _is_typed(context, name)}
    told: dict[str, Any] = {name: given[name] for name in _AS_IS if name in given}
    if "measure" in given:
        told["measures"] = tuple(dict.fromkeys(given["measure"]))
    if "control" in given:
        told["controls"] = controls_from(given["control"])
    if "exclude_reason" in given:
        told["excluded_reasons"] = tuple(dict.fromkeys(given["exclude_reason"]))
    if "negative_control" in given:
        told["negative_controls"] = tuple(dict.fromkeys(given["negative_control"]))
    told |= {name: given[name].date() for name in ("since", "until") if name in given}
    if "simulated" in given:
        told["is_simulated"] = given["simulated"]
    design = replace(base, **told)
    if design.outcome in design.negative_controls:
        raise QueryError(
            f"--negative-control {design.outcome}: that is the outcome of the study; name one that "
            "a call cannot have changed"
        )
    return design


def _is_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _calibration(
    labels: Sequence[Path], key: Path, warehouse: Path, design: Design
) -> "Calibration":
    """Read labels and how they go with what was recognised."""
    from warmline.annotation import read_key, read_labels
    from warmline.research.calibration import calibration
    from warmline.research.sample import read_recognised

    known = read_key(key)
    sheets = [read_labels(path, known) for path in labels]
    return calibration(sheets, known, read_recognised(warehouse, design))


def _write(study: "Study", folder: Path) -> tuple[Path, Path]:
    """Write the report and the results; return their paths."""
    from warmline.research.report import write_report
    from warmline.research.study import as_dict

    page = write_report(study, folder)[0]
    results = folder / "results.json"
    text = json.dumps(as_dict(study), indent=2, default=str, allow_nan=False)
    return page, write_text_whole(results, f"{text}\n", QueryError, "the results")
