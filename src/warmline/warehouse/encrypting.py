"""Turns landing folder and warehouse from one key to another; None is in clear."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb

from warmline.database import attach, open_to_convert
from warmline.encryption import Key
from warmline.errors import EncryptionError, WarehouseError
from warmline.landing import sealing
from warmline.landing.sealing import Change
from warmline.locks import LockedError, exclusive
from warmline.warehouse.swapping import (
    building_beside,
    copy_what_counts,
    discard_foreign_log,
    remove_leftovers,
    swap,
)
from warmline.whole_files import make_private_folder


@dataclass(frozen=True)
class Changed:
    """How many landing files were written anew, and whether the warehouse was."""

    files: int
    warehouse: bool


def change_key(
    landing_dir: Path, warehouse: Path, before: Key | None, after: Key | None
) -> Changed:
    """Encrypt what is in clear, decrypt what is encrypted, or encrypt it with another key.

    No copy of what was there before is left. What was broken off is finished by the same call; what
    is as it should be is left alone. Raises EncryptionError when a key is not that of the places,
    or a file cannot be read; WarehouseError when a night is under way, or the disk is full.
    """
    place, change = warehouse.resolve(), Change(before, after)
    try:
        with (
            exclusive(place.with_name(f"{place.name}.lock"), "publishing this warehouse"),
            exclusive(landing_dir / ".packing.lock", "packing this landing folder"),
        ):
            discard_foreign_log(place)
            open_to_convert(place).close()  # nothing is begun without what encrypts
            sealing.begin(landing_dir, change)
            files = sealing.rewrite(landing_dir, change)
            rewritten = place.is_file() and _rewrite(place, change)
            _remove_leftovers(place)
            sealing.finish(landing_dir, change)
            return Changed(files, rewritten)
    except LockedError as e:
        raise WarehouseError(str(e)) from e
    except (duckdb.IOException, OSError) as e:
        cause = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise WarehouseError(
            f"{place}: not finished ({cause}); put it right, and run the same command again"
        ) from e


def _rewrite(warehouse: Path, change: Change) -> bool:
    """Copy everything that the warehouse holds into a new file, and put it in its place."""
    if _opens(warehouse, change.after):
        return False
    _remove_leftovers(warehouse)
    building = building_beside(warehouse)
    make_private_folder(building.parent)
    copy_what_counts(warehouse, building, change.before, change.after)
    swap(building, warehouse)
    return True


def _opens(warehouse: Path, key: Key | None) -> bool:
    """Whether the warehouse has this key already."""
    with open_to_convert(warehouse) as con:
        try:
            attach(con, "old", warehouse, key, read_only=True)
        except EncryptionError:
            return False
    return True


def _remove_leftovers(warehouse: Path) -> None:
    """What killed processes left beside the warehouse: it may be in clear."""
    remove_leftovers(warehouse)
    shutil.rmtree(warehouse.with_name(f"{warehouse.name}.tmp"), ignore_errors=True)
