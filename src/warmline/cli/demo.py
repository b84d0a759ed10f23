"""`warmline demo`: the sample calls, analyzed from sound to table."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from warmline.cli.options import SettingsOption, settings_from
from warmline.places import Places, require_nothing_half_erased
from warmline.resources import folder


def demo(
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Folder for the analyses and the warehouse.")
    ] = Path("demo"),
    settings: SettingsOption = None,
) -> None:
    """Analyze the simulated sample calls, so that there is something to look at."""
    from warmline.cli.batch import exit_code, print_run, run_shown
    from warmline.run import RunRequest

    places, chosen = Places(to / "landing", to / "warehouse.duckdb"), settings_from(settings)
    require_nothing_half_erased(places, chosen)
    result = run_shown(RunRequest((folder("audio") / "samples",), chosen, places))
    print_run(result, places, as_json=False)
    place = shlex.quote(str(places.warehouse))
    typer.echo(f"\nin a browser, with sound: warmline serve --warehouse {place}")
    raise typer.Exit(exit_code(result))
