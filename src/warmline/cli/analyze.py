"""`warmline analyze`: from recordings to a warehouse, doing only what has not been done."""

from pathlib import Path
from typing import Annotated

import typer

from warmline import processes
from warmline.cli.options import (
    AllowLossOption,
    JsonOption,
    LandingOption,
    SettingsOption,
    WarehouseOption,
    settings_from,
)
from warmline.recordings.remote import as_source
from warmline.warehouse.landing_folder import known_places

SourcesArgument = Annotated[
    list[str],
    typer.Argument(
        help="Recordings, and folders that are searched through; also remote ones "
        "(s3://bucket/calls/).",
        metavar="PATH|URL...",
    ),
]
MetadataOption = Annotated[
    Path | None,
    typer.Option(
        "--metadata",
        metavar="CSV",
        help="Table of what is known of the calls: a column path, file or call_id, then "
        "agent_id, team, queue, customer_id, started_at, direction, reason, agent_channel, ...",
        show_default=False,
    ),
]
RedoOption = Annotated[
    list[str] | None,
    typer.Option(
        "--redo",
        metavar="STAGE",
        help="Redo this stage and all later ones, even if nothing changed.",
        show_default=False,
    ),
]


def analyze(
    sources: SourcesArgument,
    metadata: MetadataOption = None,
    warehouse: WarehouseOption = None,
    landing: LandingOption = None,
    settings: SettingsOption = None,
    whisper_model: Annotated[
        str | None,
        typer.Option(
            "--whisper-model",
            help="Any openai-whisper model: tiny.en, base, small, medium, turbo, ...",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            help="What runs Whisper: openai-whisper or faster-whisper.",
            show_default=False,
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            "--language", help="Language spoken (ISO code, such as en).", show_default=False
        ),
    ] = None,
    redaction: Annotated[
        bool | None,
        typer.Option(
            "--redaction/--no-redaction",
            help="Hide what is private (card numbers, ...) before anything is kept; on by default.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", help="Calls analyzed at the same time.", show_default=False),
    ] = None,
    redo: RedoOption = None,
    allow_loss: AllowLossOption = False,
    as_json: JsonOption = False,
) -> None:
    """Analyze recordings and fill the warehouse.

    What was analyzed before with the same settings is left alone; recordings are only read.
    """
    chosen = settings_from(
        settings,
        words__whisper_model=whisper_model,
        words__engine=engine,
        words__language=language,
        redaction__enabled=redaction,
        night__jobs=jobs,
    )
    named = [as_source(source) for source in sources]
    places = known_places(chosen, landing, warehouse, allow_loss=allow_loss)
    if not places.landing.exists():  # then there is something to listen to, unless all is refused
        processes.begin()
    from warmline.cli.batch import exit_code, print_run, run_shown
    from warmline.pipeline import Redo, with_later
    from warmline.run import RunRequest

    again = Redo(with_later(redo)) if redo else None
    result = run_shown(RunRequest(tuple(named), chosen, places, metadata, again, allow_loss))
    print_run(result, places, as_json)
    raise typer.Exit(exit_code(result))
