"""`warmline settings`: the settings file, with every key explained."""

from pathlib import Path
from typing import Annotated

import typer

from warmline.cli.options import SettingsOption, settings_from
from warmline.cli.terminal import output
from warmline.settings import load_settings, settings_toml


def settings(
    settings: SettingsOption = None,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="FILE",
            help="Only say whether this settings file is right, and what is wrong with it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print all settings as TOML, each with its meaning: `warmline settings > warmline.toml`."""
    if check is not None:
        load_settings(check)
        output().print(f"{check}: all keys and values are right", soft_wrap=True)
        return
    typer.echo(settings_toml(settings_from(settings)), nl=False)
