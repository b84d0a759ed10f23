"""`warmline export`: calls as files that other tools read."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from warmline.cli.options import LandingOption, SettingsOption, WarehouseOption, settings_from
from warmline.cli.query import pairs
from warmline.cli.terminal import ExitCode, messages, note_access, noted_access, say_error
from warmline.cli.zones import Zone, ZoneOption, zone_of
from warmline.places import Places, places_of
from warmline.query.questions import ask, ask_named, named_queries
from warmline.settings import Settings
from warmline.warehouse.call_names import shortened
from warmline.warehouse.landing_folder import known_places

ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="With --query: a parameter of the query; may be given again.",
        show_default=False,
    ),
]


class Format(StrEnum):
    """Formats of `warmline export`."""

    RTTM = "rttm"
    STM = "stm"
    SEGLST = "seglst"
    CTM = "ctm"
    SRT = "srt"
    VTT = "vtt"
    JSON = "json"
    BLEEPED = "bleeped"
    CSV = "csv"
    PARQUET = "parquet"
    XLSX = "xlsx"


_TABLES = (Format.CSV, Format.PARQUET, Format.XLSX)


def export(
    calls: Annotated[
        list[str] | None,
        typer.Argument(
            help="Calls by their names in the warehouse, or by the paths of their recordings; none "
            "exports all."
        ),
    ] = None,
    *,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            help="What to write for each call; bleeped: its recording, with a tone for what was "
            "redacted; csv, parquet or xlsx for --query.",
        ),
    ] = Format.JSON,
    to: Annotated[
        Path, typer.Option("--to", help="Folder for the files, one a call; with --query, the file.")
    ] = Path(),
    query: Annotated[
        str | None,
        typer.Option(
            "--query",
            help="Write a table instead: a named query, a table or view, or a SELECT.",
            show_default=False,
        ),
    ] = None,
    param: ParamOption = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="With --query: at most this many rows.")
    ] = 100_000,
    timezone: ZoneOption = None,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Write analyzed calls in formats that other tools read: speakers, words, subtitles, sound.

    With --query, the answer to a question as a table, safe to open in a spreadsheet:
    `warmline export -f xlsx --query agent_week --to agents.xlsx`.
    """
    if (query is not None) != (format_ in _TABLES):
        raise typer.BadParameter(
            "--query goes with --format csv, parquet or xlsx, and only with it"
        )
    if query is not None:
        chosen = settings_from(settings)
        at, zone = places_of(chosen, landing, warehouse).warehouse, zone_of(timezone, chosen)
        _write_table(at, query, pairs(param or ()), format_, to, limit, zone)
        return
    known = settings_from(settings)
    _write_calls(calls or [], known_places(known, landing, warehouse), known, format_, to)


def _write_calls(
    calls: list[str], places: Places, known: Settings, format_: Format, to: Path
) -> None:
    from warmline.query.export import choose, write_bleeped
    from warmline.query.export import export as write

    chosen = choose(places.landing, places.warehouse, calls)
    seen = []
    try:
        for analysis, stem in chosen.analyses():
            if format_ is Format.BLEEPED:
                path = write_bleeped(analysis, known.recordings, to, stem)
            else:
                path = write(analysis, format_.value, to, stem)
            seen.append(analysis.metadata.call_id)
            typer.echo(path)
    finally:  # also of those that were written before one could not be
        if seen:
            note_access(places.warehouse, f"export {format_.value}", calls=seen)
    if chosen.unpublished and not calls:
        messages().print(
            f"{chosen.unpublished} further analyses have landed and are not in the warehouse yet; "
            "`warmline analyze` publishes them",
            style="yellow",
        )
    for call in chosen.missing:
        say_error(f"{shortened(call.call_id)}: its analysis cannot be read in {places.landing}")
    if chosen.missing:
        raise typer.Exit(ExitCode.ERROR)


def _write_table(
    warehouse: Path,
    query: str,
    given: dict[str, str],
    format_: Format,
    to: Path,
    limit: int,
    zone: Zone,
) -> None:
    from warmline.query.export import write_table

    if to.is_dir():
        raise typer.BadParameter(f"--to {to}: a folder; name the file to write")
    is_named = query in named_queries()
    asked = {"query": query} if is_named or query.isidentifier() else {"sql": query}
    with noted_access(warehouse, f"export {format_.value}", **asked) as came:
        if is_named:
            answer = ask_named(warehouse, query, given, limit=limit)
        else:
            select = f'FROM "{query}"' if query.isidentifier() else query
            answer = ask(warehouse, select, given, limit=limit)
        came["rows"] = len(answer.rows)
    shown = zone.answer(answer, naming=format_ is Format.XLSX)
    typer.echo(write_table(shown, to, format_.value))
    if answer.truncated:
        messages().print(f"only the first {limit} rows; --limit writes more", style="yellow")
