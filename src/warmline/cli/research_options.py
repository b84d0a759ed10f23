"""Options that commands of `warmline research` share."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from warmline.errors import QueryError
from warmline.research.design import CONTROLS, Correction, Effects, Model

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
