"""`warmline research` of agents: what a mean is worth, trainings, case mix, and who is heard."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warmline.cli.options import JsonOption, SettingsOption, WarehouseOption, settings_from
from warmline.cli.render_research import (
    print_case_mix,
    print_fairness,
    print_reliabilities,
    print_training,
)
from warmline.cli.research_options import (
    CorrectionOption,
    ExcludeOption,
    KeyOption,
    LabelsOption,
    MeasureOption,
    SimulatedOption,
    SinceOption,
    UntilOption,
    controls_from,
)
from warmline.cli.terminal import messages
from warmline.places import places_of
from warmline.research.design import MEASURES, Correction, Design

if TYPE_CHECKING:
    from warmline.annotation import Key, Label


def reliability(
    measure: MeasureOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    exclude_reason: ExcludeOption = None,
    labels: LabelsOption = None,
    key: KeyOption = None,
    simulated: SimulatedOption = False,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how far each measure tells agents apart, and how many calls a fair comparison takes.

    Agents differ by chance, too. A reliability of 0.7 means that 70 % of what agents' means differ
    by would be there again with other calls of theirs; below that, too much of a ranking is luck.
    With labels of several people (--labels, --key) also how far labels depend on who gives them.
    """
    from warmline.research.provenance import command_of, provenance
    from warmline.research.reliability import rater_components, read_reliabilities
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
    sheets, _ = _read_labels(labels, key)
    found = read_reliabilities(path, design)
    names = ("measures", "since", "until", "excluded_reasons")
    words = command_of(design, "reliability", names, _typed(labels, key))
    made = provenance(path, design, words, is_study=False)
    print_reliabilities(found, rater_components(sheets), made, as_json)


def _read_labels(
    labels: list[Path] | None, key: Path | None
) -> "tuple[list[dict[str, Label]], dict[str, Key]]":
    from warmline.annotation import read_key, read_labels

    if bool(labels) != (key is not None):
        raise typer.BadParameter("--labels and --key go together")
    known = read_key(key) if key else {}
    return [read_labels(sheet, known) for sheet in labels or ()], known


def _typed(labels: list[Path] | None, key: Path | None) -> list[str]:
    return [f"--labels {sheet}" for sheet in labels or ()] + ([f"--key {key}"] if key else [])


def training(
    trained: Annotated[
        Path,
        typer.Argument(
            help="A CSV of who was trained when: agent_id, date.", metavar="TRAINED.csv"
        ),
    ],
    measure: MeasureOption = None,
    weeks: Annotated[
        int, typer.Option(min=2, max=52, help="Weeks to look at before and after a training.")
    ] = 12,
    control: Annotated[
        list[str] | None,
        typer.Option(
            help="What is held equal, besides agents and weeks: contact_reason, queue, ... or "
            "none; may be repeated. By default contact_reason and queue.",
            show_default=False,
        ),
    ] = None,
    correction: CorrectionOption = Correction.BH,
    exclude_reason: ExcludeOption = None,
    simulated: SimulatedOption = False,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what changed for trained agents that did not change for untrained ones.

    Everybody has better and worse months, and who is trained after a poor one rises by luck. So
    trained agents are compared with untrained ones over the same weeks, twice: by how much each
    group moved, and from the same level before. A change is one only where both say so.
    """
    from warmline.research.provenance import command_of, provenance
    from warmline.research.sample import require_libraries
    from warmline.research.training import read_roster, read_training

    require_libraries()
    design = Design(
        measures=tuple(dict.fromkeys(measure or MEASURES)),
        controls=controls_from(control) if control else ("contact_reason", "queue"),
        correction=correction,
        excluded_reasons=tuple(dict.fromkeys(exclude_reason or ())),
        is_simulated=simulated,
    )
    roster = read_roster(trained)
    path = places_of(settings_from(settings), None, warehouse).warehouse
    with messages().status("comparing trained agents with untrained ones"):
        found = read_training(path, roster, design, weeks)
    names = ("measures", "controls", "correction", "excluded_reasons")
    words = command_of(design, f"training {trained} --weeks {weeks}", names)
    print_training(
        found, 1 - design.confidence, provenance(path, design, words, is_study=False), as_json
    )


def agents(
    measure: MeasureOption = None,
    control: Annotated[
        list[str] | None,
        typer.Option(
            help="What calls are expected by: contact_reason, queue, month, language, duration by "
            "default; may be repeated, or none.",
            show_default=False,
        ),
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    exclude_reason: ExcludeOption = None,
    simulated: SimulatedOption = False,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set agents beside each other as their calls are: observed over what was to be expected.

    Raw means are not shown alone: who takes the complaints has other calls. What is left is cut
    down by the part that is luck, and agents are ranked only from a reliability of 0.7 on. Where
    calls are not heard alike (`warmline research fairness`) nothing is shown.
    """
    from warmline.research.casemix import CONTROLS as EXPECTED_BY
    from warmline.research.casemix import read_case_mix
    from warmline.research.provenance import command_of, provenance
    from warmline.research.sample import require_libraries

    require_libraries()
    design = Design(
        measures=tuple(dict.fromkeys(measure or MEASURES[:1])),
        controls=controls_from(control) if control else EXPECTED_BY,
        since=since.date() if since else None,
        until=until.date() if until else None,
        excluded_reasons=tuple(dict.fromkeys(exclude_reason or ())),
        is_simulated=simulated,
    )
    path = places_of(settings_from(settings), None, warehouse).warehouse
    found = read_case_mix(path, design)
    names = ("measures", "controls", "since", "until", "excluded_reasons")
    made = provenance(path, design, command_of(design, "agents", names), is_study=False)
    print_case_mix(found, made, as_json)


def fairness(
    measure: MeasureOption = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="A field of the metadata that tells groups, with the consent of those it is of; "
            "else recogniser's confidence, customer's pitch, line and language stand for it.",
            show_default=False,
        ),
    ] = None,
    labels: LabelsOption = None,
    key: KeyOption = None,
    simulated: SimulatedOption = False,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether all calls are heard alike: whose are left out, whose words are doubtful.

    A difference of more than 5 points that is no chance keeps agents from being compared. With
    labels also whether the ledger reads a group otherwise than people do.
    """
    from warmline.research.dif import read_dif
    from warmline.research.fairness import read_groups
    from warmline.research.provenance import command_of, provenance
    from warmline.research.sample import require_libraries

    require_libraries()
    design = Design(measures=tuple(dict.fromkeys(measure or MEASURES[:1])), is_simulated=simulated)
    path = places_of(settings_from(settings), None, warehouse).warehouse
    sheets, known = _read_labels(labels, key)
    groups, gaps = read_groups(path, design, by, sheets, known)
    read = read_dif(path, design, by, sheets, known) if sheets else []
    words = ([f"--by {by}"] if by else []) + _typed(labels, key)
    command = command_of(design, "fairness", ("measures",), words)
    made = provenance(path, design, command, is_study=False)
    print_fairness(groups, gaps, read, made, as_json)
