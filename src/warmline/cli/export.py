"""`warmline export`: calls as files that other tools read."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from warmline.cli.options import LandingOption, SettingsOption, WarehouseOption, settings_from
from warmline.errors import Status
from warmline.places import places_of


class Format(StrEnum):
    """Formats of `warmline export`."""

    RTTM = "rttm"
    STM = "stm"
    SEGLST = "seglst"
    CTM = "ctm"
    SRT = "srt"
    VTT = "vtt"
    JSON = "json"


def export(
    calls: Annotated[
        list[str] | None,
        typer.Argument(help="Call ids, or paths of analyzed recordings; none exports all."),
    ] = None,
    *,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="What to write for each call.")
    ] = Format.JSON,
    to: Annotated[Path, typer.Option("--to", help="Folder for the files, one a call.")] = Path(),
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Write analyzed calls in formats that other tools read: speakers, words, subtitles."""
    from warmline.export import chosen
    from warmline.export import export as write

    folder = places_of(settings_from(settings), landing, warehouse).landing
    written = [
        write(analysis, format_.value, to)
        for analysis in chosen(folder, calls or [])
        if analysis.status is Status.ANALYZED
    ]
    for path in written:
        typer.echo(path)
