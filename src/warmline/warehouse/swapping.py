"""A warehouse is built beside the one that is there, and put in its place in one step."""

import os
import shutil
from pathlib import Path

from warmline.whole_files import sync


def building_beside(warehouse: Path) -> Path:
    """The file in which this process builds what is to become the warehouse."""
    return warehouse.with_name(f"{warehouse.name}.building-{os.getpid()}")


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


def swap(building: Path, warehouse: Path) -> None:
    """Put the new file in place, durably; what a crashed writer left of the old one goes."""
    sync(building)
    log_of(warehouse).unlink(missing_ok=True)
    building.replace(warehouse)
    sync(warehouse.parent)
