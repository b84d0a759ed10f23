"""`warmline search`: where something was said, and what was said around it."""

from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from warmline.cli.options import JsonOption, SettingsOption, WarehouseOption, settings_from
from warmline.cli.terminal import messages, note_access, output, say_json
from warmline.cli.zones import Zone, ZoneOption, zone_of
from warmline.places import places_of
from warmline.search import Hit, Match, SaidTurn, Scope
from warmline.search import search as find


class Party(StrEnum):
    """Whose turns are searched."""

    AGENT = "agent"
    CUSTOMER = "customer"


def search(
    phrase: Annotated[str, typer.Argument(help="Words to look for, in any form: worry, worried.")],
    match: Annotated[
        Match,
        typer.Option(
            "--match", help="All of the words, any of them, or exactly so, one after the other."
        ),
    ] = Match.ALL,
    party: Annotated[
        Party | None, typer.Option("--party", help="Only what the agent or the customer said.")
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Only calls of this day (UTC) or later."),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Only calls of this day (UTC) or earlier."),
    ] = None,
    agent: Annotated[
        str | None, typer.Option("--agent", help="Only calls of this agent.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")] = 20,
    around: Annotated[
        int, typer.Option("--around", min=0, max=20, help="Turns to show before and after.")
    ] = 1,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    timezone: ZoneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find where something was said: the turn, when, in which call, and the turns around it.

    Best matches first (BM25). Phrases are looked up in an index, made when the warehouse is
    published.
    """
    scope = Scope(
        role=party.value if party else None,
        first_day=first.date() if first else None,
        last_day=last.date() if last else None,
        agent=agent,
    )
    chosen = settings_from(settings)
    zone = zone_of(timezone, chosen)
    path = places_of(chosen, None, warehouse).warehouse
    hits = find(path, phrase, match=match, scope=scope, limit=limit, around=around)
    note_access(path, "search", calls={hit.call_id for hit in hits}, rows=len(hits))
    if as_json:
        found = [zone.row(asdict(hit)) for hit in hits]
        say_json(found)
        return
    for hit in hits:
        _print(hit, zone)
    if not hits:
        messages().print("nobody said that", style="yellow")


def _print(hit: Hit, zone: Zone) -> None:
    from rich.markup import escape

    from warmline.cli.render_parts import clock

    known = (
        zone.minute(hit.started_at) if hit.started_at else None,
        f"agent {hit.agent_id}" if hit.agent_id else None,
        f"queue {hit.queue}" if hit.queue else None,
    )
    about = " · ".join(part for part in known if part)
    output().print(
        f"[bold]{escape(hit.call_id)}[/] {clock(hit.turn.start_s)}  [dim]{escape(about)}[/]",
        soft_wrap=True,
    )
    for turn in hit.before:
        output().print(f"[dim]{escape(_line(turn, clock(turn.start_s)))}[/]")
    output().print(escape(_line(hit.turn, clock(hit.turn.start_s))))
    for turn in hit.after:
        output().print(f"[dim]{escape(_line(turn, clock(turn.start_s)))}[/]")
    output().print()


def _line(turn: SaidTurn, at: str) -> str:
    return f"  {at:>5}  {turn.role:<9} {turn.text}"
