"""`warmline research` of agents (trainings, case mix, who is heard), and options all share."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warmline.cli.common import JsonOption, SettingsOption, WarehouseOption, messages, settings_from
from warmline.cli.render_research import (
    print_case_mix,
    print_fairness,
    print_reliabilities,
    print_training,
)
from warmline.errors import QueryError
from warmline.files import places_of
from warmline.research import CONTROLS, MEASURES, Correction, Design, Effects, Model

Number = float | None


def number(meaning: str, default: str | bool = False) -> Any:
    """Return an option of a number that may be left out."""
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
        "in the first quarter), opening_level, heard (how sure the call's words and measures are), "
        "month, team, direction, language, or none; may be "
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
    number(
        "The outcome's change per SD of the measure to be seen; of a share, as a share (0.02 is 2 "
        "percentage points)."
    ),
]
CallsOption = Annotated[
    int | None,
    typer.Option(help="Instead: how small an effect so many calls show.", show_default=False),
]
CorrectionOption = Annotated[
    Correction, typer.Option(help="How p-values allow for there being several measures.")
]
SimulatedOption = Annotated[
    bool, typer.Option("--simulated", help="Simulated calls instead of real ones.")
]


EffectsOption = Annotated[
    Effects, typer.Option(help="Compare agents with themselves, as draws of many, or not.")
]
ModelOption = Annotated[
    Model,
    typer.Option(
        help="Of an outcome that is yes or no: differences of shares (linear), or a logit's "
        "average effect on them."
    ),
]
WithinOption = Annotated[
    float,
    typer.Option(
        min=0,
        help="Of retained: still there so many days after the call. Of others: an outcome counts "
        "for a call at most so long before it.",
    ),
]
AfterOption = Annotated[
    float,
    typer.Option(
        min=0,
        help="Of retained: only calls after which the customer stayed so many days; who calls to "
        "leave leaves whatever the agent does.",
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(help="Leave out calls of this reason; may be repeated.", show_default=False),
]
NegativeOption = Annotated[
    list[str] | None,
    typer.Option(
        help="An outcome that a call cannot have changed (such as one of before it): what goes "
        "with it, too, is no effect; may be repeated.",
        show_default=False,
    ),
]
LabelsOption = Annotated[
    list[Path] | None,
    typer.Option(
        help="A filled-in sheet of `warmline annotate`; may be repeated, one an annotator.",
        show_default=False,
    ),
]
KeyOption = Annotated[
    Path | None,
    typer.Option(help="The key that was written beside the sheet.", show_default=False),
]
LeastOption = Annotated[int, typer.Option(min=10, help="Fewest complete calls for an estimate.")]


def controls_from(given: Sequence[str] | None) -> tuple[str, ...]:
    """Return controls as they were given; by default all, and none for `none` alone."""
    if not given:
        return CONTROLS
    if "none" in given and len(given) > 1:
        raise QueryError("--control none stands alone")
    return () if "none" in given else tuple(dict.fromkeys(given))


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
    from warmline.research.provenance import command_of, provenance
    from warmline.research.reliability import CONTROLS as EXPECTED_BY
    from warmline.research.reliability import read_case_mix
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
    words: Annotated[
        Path | None,
        typer.Option(
            help="A folder with what customers said as people wrote it down, CALL_ID.txt, or with "
            "the truth of simulated calls: says how many words of each group are misheard.",
            show_default=False,
        ),
    ] = None,
    simulated: SimulatedOption = False,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether all calls are heard alike: whose are left out, whose words are misheard.

    A difference of more than 5 points that is no chance keeps agents from being compared. With
    labels also whether the ledger reads a group otherwise than people do.
    """
    from warmline.research.fairness import read_dif, read_groups, read_written
    from warmline.research.provenance import command_of, provenance
    from warmline.research.sample import require_libraries

    require_libraries()
    design = Design(measures=tuple(dict.fromkeys(measure or MEASURES[:1])), is_simulated=simulated)
    path = places_of(settings_from(settings), None, warehouse).warehouse
    sheets, known = _read_labels(labels, key)
    written = read_written(words) if words else None
    groups, gaps = read_groups(path, design, by, sheets, known, written)
    read = read_dif(path, design, by, sheets, known) if sheets else []
    typed = ([f"--by {by}"] if by else []) + _typed(labels, key)
    typed += [f"--words {words}"] if words else []
    command = command_of(design, "fairness", ("measures",), typed)
    made = provenance(path, design, command, is_study=False)
    print_fairness(groups, gaps, read, made, as_json)
