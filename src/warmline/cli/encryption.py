"""`warmline key` and `warmline encrypt`: files that nobody reads without a key."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from warmline.cli.options import (
    JsonOption,
    LandingOption,
    SettingsOption,
    WarehouseOption,
    settings_from,
)
from warmline.cli.terminal import output
from warmline.encryption import HOW_TO_GIVE, Key, current_key, new_key_file, read_key_file
from warmline.errors import EncryptionError, WarehouseError
from warmline.warehouse.landing_folder import known_places

keys = typer.Typer(help="Make keys, and pseudonyms with them.", no_args_is_help=True)


@keys.callback()
def _keys() -> None:
    """Make keys, and pseudonyms with them."""


@keys.command("new")
def new_key(
    file: Annotated[
        Path, typer.Argument(help="The file to write; an existing one is never replaced.")
    ],
) -> None:
    """Make a key of 32 random bytes, in a file that you alone may read.

    Keep a copy of it in a safe place: without the key, what is encrypted with it is lost.
    """
    new_key_file(file)
    typer.echo(f"{file}: name it as encryption.key_file in the settings, and keep a copy safe")


@keys.command("agent")
def agent_pseudonym(
    names: Annotated[list[str], typer.Argument(help="Agents as the metadata names them.")],
    settings: SettingsOption = None,
) -> None:
    """Print the pseudonyms of agents: who has the key can find whose a row is.

    The key is the one that recordings.pseudonym_key_file or pseudonym_key_env of the settings name.
    """
    from warmline.recordings.metadata import pseudonym, pseudonym_key

    key = pseudonym_key(settings_from(settings).recordings)
    if key is None:
        raise EncryptionError("no key of pseudonyms: set recordings.pseudonym_key_file")
    for name in names:
        output().print(f"{pseudonym(name, key)}  {name}", markup=False, soft_wrap=True)


def encrypt(
    old_key_file: Annotated[
        Path | None,
        typer.Option(
            "--old-key-file", help="The old key, to change to another one.", show_default=False
        ),
    ] = None,
    decrypt: Annotated[bool, typer.Option("--decrypt", help="Decrypt everything again.")] = False,
    landing: LandingOption = None,
    warehouse: WarehouseOption = None,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Encrypt the existing landing folder and warehouse with the key that is set.

    Run the command again to complete an interrupted change. Run it when no nightly run is under
    way. Recordings, metadata, exported files and backups are not touched.
    """
    from warmline.warehouse.swap import change_key

    chosen = settings_from(settings)
    key = current_key()
    if key is None:
        raise EncryptionError(f"there is no key; {HOW_TO_GIVE}; `warmline key new FILE` makes one")
    if decrypt and old_key_file:
        raise typer.BadParameter("--decrypt takes the key that is given, and no --old-key-file")
    old = read_key_file(old_key_file) if old_key_file else None
    before, after = (key, None) if decrypt else (old, key)
    places = known_places(chosen, landing, warehouse, keys=(before, after))
    changed = change_key(places.landing, places.warehouse, before, after)
    _change_key_of_additions(places.warehouse, before, after)
    if as_json:
        typer.echo(json.dumps(asdict(changed)))
        return
    done = "decrypted: take the key out of the settings" if decrypt else "encrypted"
    rest = "and the warehouse" if changed.warehouse else "the warehouse needed nothing"
    output().print(f"{changed.files} landing files written anew, {rest}; {done}", soft_wrap=True)


def _change_key_of_additions(warehouse: Path, before: Key | None, after: Key | None) -> None:
    """Do the same with what people wrote on the pages. Raises WarehouseError if it cannot be."""
    if not warehouse.resolve().with_suffix(".web.sqlite").is_file():
        return
    try:
        from warmline.web.store import change_key
    except ModuleNotFoundError as e:
        raise WarehouseError(
            f"what people wrote on the pages needs {e.name} to be written anew; "
            "pip install 'warmline[web]', and run the same command again"
        ) from e
    change_key(warehouse, before, after)
