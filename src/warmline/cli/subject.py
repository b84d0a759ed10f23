"""`warmline subject-access`: all that is kept of a customer, as files for a person who asks."""

from pathlib import Path
from typing import Annotated

import typer

from warmline.cli.options import LandingOption, SettingsOption, WarehouseOption, settings_from
from warmline.cli.terminal import messages, output
from warmline.errors import WarmlineError
from warmline.warehouse.landing_folder import known_places


def subject_access(
    customer: Annotated[
        list[str],
        typer.Option("--customer", metavar="ID", help="The customer's id, as it is kept."),
    ],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Folder for the two files.")
    ] = Path("subject-access"),
    alike: Annotated[
        bool,
        typer.Option(
            "--alike", help="Take ids, too, that differ only in case, blanks or form of Unicode."
        ),
    ] = False,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Write all that is kept of a customer: calls, words, measures, reviews, outcomes.

    `customer.json` has everything, `customer.txt` is a page to read; both for you alone to open.
    Recordings are not copied: each call says where its recording lies. Names and words of agents
    are in it, as they are in the calls.
    """
    from warmline.landing import meant_by
    from warmline.subject_access import collect, write

    places = known_places(settings_from(settings), landing, warehouse)
    meant = meant_by(places.landing, (), customer, alike=alike)
    for label in meant.nothing:
        others = ", ".join(map(repr, meant.near.get(label, ())))
        hint = f", but of {others}: name that, or give --alike" if others else ""
        raise WarmlineError(f"{label}: nothing is kept of it{hint}")
    for label, alike_ids in meant.near.items():
        messages().print(
            f"note: {label} is not {', '.join(map(repr, alike_ids))}, which is left out; --alike "
            "takes it in",
            markup=False,
            soft_wrap=True,
        )
    access = collect(places, sorted(meant.selection.customers))
    files = write(access, to)
    output().print(
        f"{len(access.analyses)} recordings, {len(access.outcomes)} outcomes, "
        f"{len(access.reviews)} reviews: {files[0]}, {files[1]}",
        markup=False,
        soft_wrap=True,
    )
