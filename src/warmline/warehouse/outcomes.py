"""Brings the outcomes of the warehouse up to date with those that have landed."""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from warmline.landing.outcomes import read_outcomes
from warmline.landing.places import LandedFile

#: Of an outcome that was loaded more than once, the last word counts.
_REFILL = """
DELETE FROM outcomes;
INSERT INTO outcomes BY NAME
SELECT customer_id, given_call_id, name, occurred_at, is_whole_day, value, text, source, line,
    loaded_at
FROM landing.outcome_lines
WHERE problem IS NULL
QUALIFY row_number() OVER (
    PARTITION BY customer_id, given_call_id, name, occurred_at, is_whole_day
    ORDER BY loaded_at DESC, file DESC, line) = 1
ORDER BY customer_id, occurred_at, name
"""


def note_outcomes(
    con: duckdb.DuckDBPyConnection, landing_dir: Path, files: Sequence[LandedFile]
) -> None:
    """Read the files that are new, forget those that are gone, and fill the table `outcomes`.

    Of a file that cannot be read, what it held before counts, and `landing.outcome_files` says why.
    """
    known = dict(con.execute("SELECT file, stamp FROM landing.outcome_files").fetchall())
    gone = known.keys() - {file.name for file in files}
    fresh = [file for file in files if known.get(file.name) != file.stamp]
    if not (gone or fresh):
        return
    for name in gone:
        _forget(con, name)
        con.execute("DELETE FROM landing.outcome_files WHERE file = $file", {"file": name})
    for file in fresh:
        problem = _read(con, landing_dir, file.name)
        con.execute(
            "INSERT OR REPLACE INTO landing.outcome_files VALUES ($file, $stamp, $problem)",
            {"file": file.name, "stamp": file.stamp, "problem": problem},
        )
    con.execute(_REFILL)


def _read(con: duckdb.DuckDBPyConnection, landing_dir: Path, name: str) -> str | None:
    """Take in the lines of one file; why it cannot be read, else None."""
    try:
        lines = read_outcomes(landing_dir / name)
    except (OSError, ValueError, pa.ArrowException) as e:
        return str(e).splitlines()[0] if str(e) else type(e).__name__
    _forget(con, name)
    con.register("outcome_lines_read", lines)
    con.execute(
        "INSERT INTO landing.outcome_lines BY NAME SELECT *, $file AS file FROM outcome_lines_read",
        {"file": name},
    )
    con.unregister("outcome_lines_read")
    return None


def _forget(con: duckdb.DuckDBPyConnection, name: str) -> None:
    con.execute("DELETE FROM landing.outcome_lines WHERE file = $file", {"file": name})
