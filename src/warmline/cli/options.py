"""Options that several commands share, and the settings that they override."""

from pathlib import Path
from typing import Annotated, Any

import typer

from warmline.cli.terminal import messages, output
from warmline.encryption import look_for_key
from warmline.settings import Settings, load_settings, settings_toml, with_overrides

SETTINGS_FILE = "warmline.toml"

SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        envvar="WARMLINE_SETTINGS",
        help=f"TOML file of settings; {SETTINGS_FILE} here is taken if there is one.",
        show_default=False,
    ),
]
LandingOption = Annotated[
    Path | None,
    typer.Option(
        "--landing",
        help="Folder of analyses, one file per call; by default the one that the warehouse was "
        "built from, or beside a new one.",
        show_default=False,
    ),
]
AllowLossOption = Annotated[
    bool,
    typer.Option(
        "--allow-loss",
        help="Publish although calls of the warehouse are lost by it: their analyses are gone from "
        "the landing folder.",
    ),
]
WarehouseOption = Annotated[
    Path | None,
    typer.Option(
        "--warehouse",
        help="The warehouse, a DuckDB file; by default places.warehouse of the settings.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def settings_file(named: Path | None) -> Path | None:
    """Return the settings file to use: the one named, else `warmline.toml` here, else none.

    One that nobody named is reported: whoever put it here decides what is loaded and what is
    stored.
    """
    here = Path(SETTINGS_FILE)
    if named is not None or not here.is_file():
        return named
    messages().print(f"settings: {here.resolve()}", style="dim", markup=False, soft_wrap=True)
    return here


def settings_from(path: Path | None, **overrides: Any) -> Settings:
    """Return the settings of a file (or of `warmline.toml` here), overridden by the command line.

    Overrides are `section__key=value`; None leaves the file's value. From here on the key of
    encrypted files is looked for where these settings say. Raises `SettingsError`.
    """
    given = {k.replace("__", "."): v for k, v in overrides.items() if v is not None}
    settings = with_overrides(load_settings(settings_file(path)), given)
    look_for_key(settings.encryption.key_env, settings.encryption.key_file)
    return settings


# `warmline settings`: the settings file, with every key explained.


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
