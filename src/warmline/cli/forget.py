"""`warmline forget`: calls are erased, and do not come back."""

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from warmline.cli.options import (
    JsonOption,
    LandingOption,
    SettingsOption,
    WarehouseOption,
    settings_from,
)
from warmline.cli.terminal import ExitCode, messages, output
from warmline.warehouse.landing_folder import known_places

_AGE = re.compile(r"(\d+)\s*d(ays?)?")


def forget(
    call: Annotated[
        list[str] | None,
        typer.Option("--call", metavar="ID", help="A call, by the id its metadata gives."),
    ] = None,
    customer: Annotated[
        list[str] | None,
        typer.Option("--customer", metavar="ID", help="All calls and outcomes of a customer."),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="400d", help="Calls that started longer ago."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many analyses are meant, erase nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase calls from landing folder, warehouse, search index, reviews, outcomes and reports.

    Of the nights that were, Prefect's own database keeps only when they ran and how they ended. The
    next night leaves their recordings alone. A note stays that something was erased, with digests
    and counts and nothing of the calls. Recordings, metadata files and what was exported are not
    warmline's to erase. Run it when no night is under way.
    """
    from warmline.landing import Selection, erase, finish, is_unfinished, matching
    from warmline.nights import forget_names, prefect_home, refresh_reports
    from warmline.pipeline import all_measures
    from warmline.warehouse import publish

    chosen = settings_from(settings)
    places = known_places(chosen, landing, warehouse)
    selection = Selection(
        frozenset(call or ()), frozenset(customer or ()), _before(older_than, datetime.now(UTC))
    )
    if selection == Selection():
        raise typer.BadParameter("say what to forget: --call, --customer or --older-than")
    meant = matching(places.landing, selection)
    if dry_run:
        output().print(json.dumps({"analyses": len(meant)}) if as_json else _said(len(meant)))
        return
    if not meant and not is_unfinished(places.landing):
        messages().print("nothing has landed of these calls; outcomes are looked through")
    elif not (yes or as_json):
        typer.confirm(f"{_said(len(meant))} Erase them for good?", abort=True)
    erased = erase(places.landing, selection)
    with messages().status("building the warehouse without them"):
        publish(places.landing, places.warehouse, all_measures(), chosen.profile, from_nothing=True)
    refresh_reports(places.warehouse, chosen.night)
    forget_names(prefect_home())
    finish(places.landing)
    for name, why in erased.unreadable.items():
        messages().print(f"[yellow]note:[/] landing file {name} cannot be looked into: {why}")
    if as_json:
        typer.echo(json.dumps(asdict(erased), indent=2))
    else:
        output().print(
            f"erased: {erased.calls} analyses, {erased.outcomes} outcomes, {erased.reviews} "
            "reviews; the recordings themselves are yours to delete",
            soft_wrap=True,
        )
    raise typer.Exit(ExitCode.ERROR if erased.unreadable else ExitCode.DONE)


def _said(count: int) -> str:
    return f"{count} analys{'is is' if count == 1 else 'es are'} meant."


def _before(age: str | None, now: datetime) -> datetime | None:
    if age is None:
        return None
    match = _AGE.fullmatch(age.strip())
    if match is None:
        raise typer.BadParameter(f"--older-than {age!r}: not a number of days such as 400d")
    return now - timedelta(days=int(match[1]))
