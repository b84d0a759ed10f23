"""Carries over what only the old warehouse knows when a new one is built from the landing folder.

The landing folder is the truth: calls, outcomes and reviews are loaded from there. What it does not
know is when the warehouse was published (`runs`), how measures were defined that older analyses
still have, and the weights of the empathy profile. Also, what lies in landing files that cannot be
read at present stays as it was loaded. All of it is copied row by row, as far as the old tables
have the columns of today.
"""

from collections.abc import Collection
from pathlib import Path

import duckdb

YESTERDAY = "yesterday"  # what the warehouse of before is attached as

_HISTORY = {
    "main.runs": "INSERT",
    "main.metric_definitions": "INSERT",
    "main.profile_settings": "INSERT OR REPLACE",
}
_COLUMNS = """
SELECT new.column_name
FROM duckdb_columns() AS new
INNER JOIN duckdb_columns() AS old USING (schema_name, table_name, column_name)
WHERE new.database_name = current_database() AND old.database_name = $yesterday
    AND new.schema_name = $schema AND new.table_name = $table
ORDER BY new.column_index
"""
_ENTRIES = """
file IN (SELECT file FROM landing.files WHERE problem IS NOT NULL)
AND landing_key NOT IN (SELECT unnest($erased::VARCHAR[]))
"""
_CALLS = f"""
CREATE OR REPLACE TEMP TABLE unreadable AS
SELECT call_id, row_number() OVER (ORDER BY modified_at, call_id) AS call_no
FROM {YESTERDAY}.main.calls
WHERE landing_key IN (SELECT landing_key FROM landing.entries WHERE {_ENTRIES})
"""
_OUTCOME_LINES = "file IN (SELECT file FROM landing.outcome_files WHERE problem IS NOT NULL)"
_REVIEWS = "review_id IN (SELECT unnest($ids::VARCHAR[]))"


def carry_over_history(con: duckdb.DuckDBPyConnection) -> None:
    """Copy the publishings, the earlier definitions and the weights of the profile."""
    for table, verb in _HISTORY.items():
        _copy(con, table, "true", verb=verb)


def carry_over_unreadable_calls(
    con: duckdb.DuckDBPyConnection, tables: Collection[str], erased: Collection[str]
) -> None:
    """Copy the rows of calls whose landing files cannot be read, unless they were erased.

    `landing.files` and `landing.entries` have to be up to date, and `tables` still empty.
    """
    _copy(con, "landing.entries", _ENTRIES, given={"erased": list(erased)})
    con.execute(_CALLS, {"erased": list(erased)})
    for table in tables:
        shared = _shared_columns(con, f"main.{table}")
        columns = [f"old.{name}" for name in shared if name not in ("call_id", "call_no")]
        if columns:
            con.execute(
                f"INSERT INTO {table} BY NAME SELECT call_id, unreadable.call_no, "
                f"{', '.join(columns)} "
                f"FROM {YESTERDAY}.main.{table} AS old INNER JOIN unreadable USING (call_id)"
            )


def carry_over_unreadable_outcomes(con: duckdb.DuckDBPyConnection) -> bool:
    """Copy the outcomes whose landed files cannot be read; returns whether there are such files."""
    _copy(con, "landing.outcome_lines", _OUTCOME_LINES)
    return bool(con.execute(f"FROM landing.outcome_lines WHERE {_OUTCOME_LINES}").fetchone())


def carry_over_unreadable_reviews(con: duckdb.DuckDBPyConnection) -> None:
    """Copy the reviews whose landed files cannot be read."""
    damaged = con.execute("SELECT file FROM landing.review_files WHERE problem IS NOT NULL")
    ids = [Path(file).stem for (file,) in damaged.fetchall()]
    _copy(con, "main.reviews", _REVIEWS, given={"ids": ids})


def _copy(
    con: duckdb.DuckDBPyConnection,
    table: str,
    where: str,
    *,
    verb: str = "INSERT",
    given: dict[str, list[str]] | None = None,
) -> None:
    """Copy rows of a table of before, as far as it had the columns of today."""
    columns = ", ".join(_shared_columns(con, table))
    if columns:
        con.execute(
            f"{verb} INTO {table} BY NAME SELECT {columns} FROM {YESTERDAY}.{table} WHERE {where}",
            given or {},
        )


def _shared_columns(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """The columns that a table has now and had before; none if there was no such table."""
    schema, _, name = table.partition(".")
    given = {"yesterday": YESTERDAY, "schema": schema, "table": name}
    return [column for (column,) in con.execute(_COLUMNS, given).fetchall()]
