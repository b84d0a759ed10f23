"""Bring the reviews of the warehouse up to date with those that have landed."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from warmline.landing.store import LandedFile, LandingError
from warmline.warehouse.landed_reviews import take_in


def note_reviews(
    con: duckdb.DuckDBPyConnection, landing_dir: Path, files: Sequence[LandedFile]
) -> None:
    """Read the reviews that are new and remove those that are gone.

    One that cannot be read stays as it was, and `landing.review_files` says why.
    """
    known = dict(con.execute("SELECT file, stamp FROM landing.review_files").fetchall())
    for name in known.keys() - {file.name for file in files}:
        con.execute("DELETE FROM reviews WHERE review_id = $id", {"id": _id(name)})
        con.execute("DELETE FROM landing.review_files WHERE file = $file", {"file": name})
    for file in files:
        if known.get(file.name) != file.stamp:
            con.execute(
                "INSERT OR REPLACE INTO landing.review_files VALUES ($file, $stamp, $problem)",
                {
                    "file": file.name,
                    "stamp": file.stamp,
                    "problem": _take_in(con, landing_dir, file.name),
                },
            )


def _take_in(con: duckdb.DuckDBPyConnection, landing_dir: Path, name: str) -> str | None:
    """Insert one review; return why it cannot be read, else None."""
    try:
        take_in(con, landing_dir / name)
    except LandingError as e:
        return str(e)
    return None


def _id(name: str) -> str:
    return Path(name).stem
