"""`warmline show`: one call as a page to read."""

from dataclasses import replace
from typing import Annotated

import typer

from warmline.cli.options import JsonOption, SettingsOption, WarehouseOption, settings_from
from warmline.cli.terminal import note_access, say_json
from warmline.cli.zones import ZoneOption, zone_of
from warmline.places import places_of

_NARROWEST = 60


def show(
    call_id: Annotated[
        str, typer.Argument(help="Its id, the beginning of its id, or the name of its file.")
    ],
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    width: Annotated[
        int | None,
        typer.Option(
            "--width",
            min=_NARROWEST,
            help="Characters in a line; by default those of the terminal.",
            show_default=False,
        ),
    ] = None,
    timezone: ZoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one call: who spoke when, what was said, what was measured, and where to hear it."""
    from warmline.query.call_page import read_page

    chosen = settings_from(settings)
    zone = zone_of(timezone, chosen)
    at = places_of(chosen, None, warehouse).warehouse
    page = read_page(at, call_id)
    note_access(at, "show", calls=[page.call["call_id"]])
    page = replace(page, call=zone.row(page.call))
    if as_json:
        say_json(page.as_dict())
        return
    from warmline.cli.render_call import head, parties, timeline, transcript
    from warmline.cli.render_metrics import ledger, measures, profile, quotes
    from warmline.cli.terminal import PlainConsole

    console = PlainConsole(width=width, highlight=False)
    line = max(console.width, _NARROWEST)
    for part in (
        head(page),
        parties(page),
        timeline(page, line),
        transcript(page),
        ledger(page),
        quotes(page),
        profile(page),
        measures(page, line),
    ):
        for renderable in part:
            console.print(renderable)
