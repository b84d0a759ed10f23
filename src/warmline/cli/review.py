"""`warmline review`: what people who listened say of the machine's word."""

import csv
import getpass
import io
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warmline.cli.options import (
    JsonOption,
    LandingOption,
    SettingsOption,
    WarehouseOption,
    settings_from,
)
from warmline.cli.search import Party
from warmline.cli.terminal import messages, output, say_json
from warmline.cli.zones import ZoneOption, zone_of
from warmline.database import open_for_reading
from warmline.errors import QueryError
from warmline.reviews import Judgement, Verdict, all_reviews, review_cue, review_metric
from warmline.spreadsheets import safe_cell
from warmline.warehouse.call_names import find_call, find_calls
from warmline.warehouse.landing_folder import known_places
from warmline.whole_files import write_text_whole

if TYPE_CHECKING:
    from warmline.landing.reviews import Review

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

    It counts at once, beside the machine's word: see `warmline show`, `warmline query disputes` and
    `review_agreement`. Your last word on a row counts.
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
    """Which recording is meant; None if the warehouse has no such call, or none any more.

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
    """The review in a line, without anything that was said in the call."""
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
