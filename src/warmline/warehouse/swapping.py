"""A warehouse is built beside the one that is there, and put in its place in one step."""

import os
import shutil
from pathlib import Path

from warmline.database import attach, open_to_convert
from warmline.encryption import Key
from warmline.whole_files import sync

_PRIVATE = 0o600


def building_beside(warehouse: Path, ending: str = "") -> Path:
    """The file in which this process builds what is to become the warehouse."""
    return warehouse.with_name(f"{warehouse.name}.building-{os.getpid()}{ending}")


def remove_leftovers(warehouse: Path) -> None:
    """Remove what this or a killed process left of a warehouse that was not finished."""
    for path in warehouse.parent.glob(f"{warehouse.name}.building-*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def log_of(database: Path) -> Path:
    """The write-ahead log beside a database file."""
    return database.with_name(f"{database.name}.wal")


def copy_beside(warehouse: Path, building: Path) -> None:
    """Begin with what the warehouse is now, and with what its writer left in the log."""
    shutil.copyfile(warehouse, building)
    shutil.copymode(warehouse, building)
    if (log := log_of(warehouse)).exists():
        shutil.copyfile(log, log_of(building))


def make_private(building: Path, like: Path) -> None:
    """Give a new file the mode of the one that it is to replace; else its owner alone reads it."""
    if like.exists():
        shutil.copymode(like, building)
    else:
        building.chmod(_PRIVATE)


def copy_what_counts(source: Path, target: Path, before: Key | None, after: Key | None) -> None:
    """Copy a warehouse row by row, each encrypted with its key: no byte of what was deleted."""
    with open_to_convert(target) as con:
        attach(con, "old", source, before, read_only=not log_of(source).exists())
        attach(con, "new", target, after, read_only=False)
        make_private(target, source)
        con.execute("COPY FROM DATABASE old TO new")
        con.execute("CHECKPOINT new")
        con.execute("DETACH old")
        con.execute("DETACH new")


def swap(building: Path, warehouse: Path) -> None:
    """Put the new file in place, durably; what a crashed writer left of the old one goes."""
    sync(building)
    log_of(warehouse).unlink(missing_ok=True)
    building.replace(warehouse)
    sync(warehouse.parent)
