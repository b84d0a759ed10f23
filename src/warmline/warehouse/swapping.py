"""A warehouse is built beside the one that is there, and put in its place in one step.

It is built in a private folder, together with its log and whatever else DuckDB puts beside it. The
publisher leaves no log beside the warehouse: what lies there is not its own, and is never read.
"""

import os
import shutil
from pathlib import Path

from warmline.database import attach, has_foreign_log, log_of, open_to_convert
from warmline.encryption import Key
from warmline.whole_files import PRIVATE_FILE, sync


def building_beside(warehouse: Path, ending: str = "") -> Path:
    """The file in which this process builds what is to become the warehouse."""
    folder = warehouse.with_name(f"{warehouse.name}.building-{os.getpid()}")
    return folder / f"{warehouse.name}{ending}"


def remove_leftovers(warehouse: Path) -> None:
    """Remove what this or a killed process left of a warehouse that was not finished."""
    for path in warehouse.parent.glob(f"{warehouse.name}.building-*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def copy_beside(warehouse: Path, building: Path) -> None:
    """Begin with what the publisher wrote last: with the file, and never with a log beside it."""
    shutil.copyfile(warehouse, building)


def discard_foreign_log(warehouse: Path) -> None:
    """Remove a log beside the warehouse that no program is writing: it is not the publisher's."""
    if not warehouse.exists() or has_foreign_log(warehouse):
        log_of(warehouse).unlink(missing_ok=True)


def copy_what_counts(source: Path, target: Path, before: Key | None, after: Key | None) -> None:
    """Copy a warehouse row by row, each encrypted with its key: no byte of what was deleted."""
    with open_to_convert(target) as con:
        attach(con, "old", source, before, read_only=True)
        attach(con, "new", target, after, read_only=False)
        con.execute("COPY FROM DATABASE old TO new")
        con.execute("CHECKPOINT new")
        con.execute("DETACH old")
        con.execute("DETACH new")


def swap(building: Path, warehouse: Path) -> None:
    """Put the new file in place, durably."""
    building.chmod(PRIVATE_FILE)
    sync(building)
    log_of(warehouse).unlink(missing_ok=True)
    building.replace(warehouse)
    sync(warehouse.parent)
