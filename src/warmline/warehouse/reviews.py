"""Reviews in the warehouse: those that have landed are in its table, or shown beside it.

What a person says of a call is a file in the landing folder at once. A publishing takes new files
into the table `reviews`. A connection that reads the warehouse in between gets the reviews of both
in a temporary table, which the views read instead; the file of the warehouse stays as it is.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from warmline.warehouse.landing_folder import noted_folder

if TYPE_CHECKING:
    from warmline.landing.store import LandedFile

COLUMNS = (
    "review_id, reviewed_at, reviewer, given_call_id, landing_key, subject, name, role, start_s, "
    "end_s, machine_said, verdict, should_be, reason"
)
_FOLDER = "reviews"
_PUBLISHED = "SELECT review_id FROM reviews"


def show_landed_reviews(con: duckdb.DuckDBPyConnection, warehouse: Path) -> None:
    """Let this connection see the reviews that have landed since the publishing, too.

    Where the landing folder is not to be found, or a review cannot be read, what was published is
    seen; the next publishing tells of a review that is damaged.
    """
    noted = noted_folder(con)
    if noted is None:
        return
    for folder in noted.candidates(warehouse):
        files = dict(_files(folder / _FOLDER))
        if files and noted.is_at(folder, warehouse):
            published = {name for (name,) in con.execute(_PUBLISHED).fetchall()}
            _add(con, [files[name] for name in sorted(files.keys() - published)])
            return


def take_in(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Take a review into the table `reviews`. Raises as `read_review`."""
    from warmline.landing.reviews import read_review

    review = asdict(read_review(path))
    at = review["reviewed_at"].astimezone(UTC).replace(tzinfo=None)
    values = ", ".join(f"${column}" for column in COLUMNS.split(", "))
    con.execute(
        f"INSERT OR REPLACE INTO reviews ({COLUMNS}) VALUES ({values})",
        {"review_id": path.stem, **review, "reviewed_at": at},
    )


def _add(con: duckdb.DuckDBPyConnection, paths: list[Path]) -> None:
    if not paths:
        return
    from warmline.errors import EncryptionError
    from warmline.landing.store import LandingError

    con.execute("CREATE TEMP TABLE landed AS FROM reviews")
    con.execute("ALTER TABLE landed ADD PRIMARY KEY (review_id)")
    con.execute("ALTER TABLE landed RENAME TO reviews")
    for path in paths:
        try:
            take_in(con, path)
        except (LandingError, EncryptionError):
            continue


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """The reviews that have landed, by id; none without the folder, or if it cannot be read."""
    try:
        with os.scandir(folder) as parts:
            inside = [part.path for part in parts if part.is_dir(follow_symlinks=False)]
        for part in inside:
            with os.scandir(part) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):
                        yield Path(entry.name).stem, Path(entry.path)
    except OSError:
        return


def note_reviews(
    con: duckdb.DuckDBPyConnection, landing_dir: Path, files: "Sequence[LandedFile]"
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
    from warmline.landing.store import LandingError

    try:
        take_in(con, landing_dir / name)
    except LandingError as e:
        return str(e)
    return None


def _id(name: str) -> str:
    return Path(name).stem
