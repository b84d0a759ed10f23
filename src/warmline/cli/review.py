"""`warmline review`: verdicts of people who listened on the machine's results."""

import csv
import getpass
import io
import re
from dataclasses import asdict, fields
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warmline.cli.options import (
    JsonOption,
    LandingOption,
    SettingsOption,
    WarehouseOption,
    Zone,
    ZoneOption,
    settings_from,
    zone_of,
)
from warmline.cli.terminal import messages, note_access, output, say_json
from warmline.database import open_for_reading
from warmline.errors import QueryError
from warmline.files import safe_cell, write_text_whole
from warmline.places import places_of
from warmline.query.reviews import (
    Judgement,
    Verdict,
    all_reviews,
    review_cue,
    review_metric,
)
from warmline.query.search import (
    Hit,
    Match,
    SaidTurn,
    Scope,
)
from warmline.query.search import search as find
from warmline.warehouse.call_names import find_call, find_calls
from warmline.warehouse.landing_folder import known_places

if TYPE_CHECKING:
    from warmline.landing.reviews import Review

# `warmline search`: where something was said, and what was said around it.


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
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, help="Show at most this many.")
    ] = 20,
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

    from warmline.query.call_page import clock

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


app = typer.Typer(
    help="Say where the machine is right or wrong, and why; reviews outlive every rebuilding.",
    no_args_is_help=True,
)

_CLOCK = re.compile(r"(?:(?P<h>\d+):(?=\d+:))?(?:(?P<m>\d+):)?(?P<s>\d+(?:\.\d+)?)")


@app.command()
def mark(
    call_id: Annotated[str, typer.Argument(help="The call, as in the warehouse.")],
    verdict: Annotated[Verdict, typer.Argument(help="What you say of it.")],
    cue: Annotated[
        str | None,
        typer.Option(
            "--cue", metavar="TIME", help="The row of the ledger whose cue begins at: 0:11 or 11.2."
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="A measure, by its name.")
    ] = None,
    role: Annotated[
        Party | None, typer.Option("--role", help="Whose measure; none for one of the call.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why; needed for wrong.", show_default=False)
    ] = None,
    should_be: Annotated[
        str | None,
        typer.Option(
            "--should-be",
            help="What is true: an answer (ignored ... cognitive, no_answer), no_cue, or a value.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Your name; by default the user's.")
    ] = None,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Mark a row of the ledger or a measure as right or wrong.

    It counts at once, beside the machine's result: see `warmline show`, `warmline query disputes`
    and `review_agreement`. Your last verdict on a row counts.
    """
    if (cue is None) == (metric is None):
        raise typer.BadParameter("say which: --cue TIME, or --metric NAME")
    judgement = Judgement(by or getpass.getuser(), verdict, reason, should_be)
    at = known_places(settings_from(settings), landing, warehouse)
    if cue is not None:
        review = review_cue(at.warehouse, at.landing, call_id, _seconds(cue), judgement)
    else:
        review = review_metric(
            at.warehouse, at.landing, call_id, metric or "", role.value if role else None, judgement
        )
    typer.echo(_sentence(review))


@app.command("list")
def list_reviews(
    call: Annotated[
        str | None, typer.Option("--call", help="Only of this call.", show_default=False)
    ] = None,
    verdict: Annotated[
        Verdict | None, typer.Option("--verdict", help="Only those that say so.")
    ] = None,
    timezone: ZoneOption = None,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the reviews, oldest first, also those that have not been published yet."""
    chosen = settings_from(settings)
    zone = zone_of(timezone, chosen)
    places = known_places(chosen, landing, warehouse)
    key = _landing_key(places.warehouse, call) if call else None
    reviews = [
        review
        for review in all_reviews(places.landing)
        if (call is None or review.landing_key == key or (not key and review.given_call_id == call))
        and verdict in (None, review.verdict)
    ]
    if as_json:
        found = [asdict(review) for review in reviews]
        say_json(found)
        return
    for review in reviews:
        output().print(
            f"{zone.minute(review.reviewed_at)} {_sentence(review)}", markup=False, soft_wrap=True
        )
    if not reviews:
        messages().print("no reviews", style="yellow")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The CSV file to write.")],
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Write all reviews to a CSV file that is safe to open in a spreadsheet."""
    folder = known_places(settings_from(settings), landing, warehouse).landing
    from warmline.landing.reviews import Review

    reviews = [asdict(review) for review in all_reviews(folder)]
    page = io.StringIO()
    writer = csv.writer(page, lineterminator="\n")
    writer.writerow(field.name for field in fields(Review))
    writer.writerows([safe_cell(value) for value in row.values()] for row in reviews)
    write_text_whole(file, page.getvalue(), QueryError, "the reviews")
    typer.echo(f"{len(reviews)} reviews in {file}")


def _landing_key(warehouse: Path, call: str) -> str | None:
    """Return the key of the recording that is meant; None if the warehouse no longer has the call.

    Raises QueryError with their names when more than one call is called that.
    """
    with open_for_reading(warehouse) as con:
        return find_call(con, call).landing_key if find_calls(con, call) else None


def _seconds(text: str) -> float:
    found = _CLOCK.fullmatch(text)
    if not found:
        raise QueryError(f"--cue {text}: write the time as 0:11, 1:02:03 or 11.2 (seconds)")
    hours, minutes, seconds = (float(found[part] or 0) for part in "hms")
    return hours * 3600 + minutes * 60 + seconds


def _sentence(review: "Review") -> str:
    """Return the review on one line, without anything that was said in the call."""
    where = (
        f"cue {review.name} at {review.start_s:.1f} s" if review.subject == "cue" else review.name
    )
    of = f" of the {review.role}" if review.role else ""
    said = "no value" if review.machine_said is None else review.machine_said
    instead = f", should be {review.should_be}" if review.should_be else ""
    why = f": {review.reason}" if review.reason else ""
    return (
        f"{review.given_call_id}, {where}{of}: {said} is {review.verdict}{instead} "
        f"({review.reviewer}){why}"
    )
