"""Checks that must return no rows: `warehouse/checks/*.sql`."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from warmline.database import open_for_reading
from warmline.warehouse.tables import loaded_tables, sql_files

# One row a call: small, and checked across calls.
_READ_WHOLE = {"calls", "call_measures"}


@dataclass(frozen=True)
class CheckResult:
    """The result of one check: `rows` are the first ones found, `count` how many there are."""

    name: str
    description: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    count: int

    @property
    def passed(self) -> bool:
        """Return whether nothing was found."""
        return self.count == 0

    def __str__(self) -> str:
        """Return what is wrong, on one line, with the first row."""
        if self.passed:
            return f"{self.name}: passed"
        pairs = zip(self.columns, self.rows[0], strict=True)
        first = ", ".join(f"{column} = {value}" for column, value in pairs)
        return f"{self.name}: {self.count} rows against it, the first: {first}"


def run_checks(
    con: duckdb.DuckDBPyConnection, rows_shown: int = 10, *, whole: bool = True
) -> tuple[CheckResult, ...]:
    """Run every check, on the whole warehouse or on the calls of the temporary table `touched`.

    `load` leaves that table. A check is about single calls or about `calls` as a whole, so the rows
    of calls that were checked before and have not changed since need not be read again: at a
    million calls that saves minutes.
    """
    with nullcontext() if whole else _only_touched(con):
        return tuple(_run(con, f.name, f.header, f.text, rows_shown) for f in sql_files("checks"))


@contextmanager
def _only_touched(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """For as long as the block runs, a temporary table stands before each large one."""
    tables = [file.name for file in loaded_tables() if file.name not in _READ_WHOLE]
    database = con.execute("SELECT current_database()").fetchall()[0][0]
    try:
        for table in tables:
            con.execute(
                f'CREATE TEMP TABLE "{table}" AS '
                f'SELECT * FROM "{database}".main."{table}" SEMI JOIN touched USING (call_no)'
            )
        yield
    finally:
        for table in tables:
            con.execute(f'DROP TABLE IF EXISTS temp."{table}"')


def check_warehouse(path: Path) -> tuple[CheckResult, ...]:
    """Run every check against a published warehouse, without changing it."""
    with open_for_reading(path) as con:
        return run_checks(con)


def _run(
    con: duckdb.DuckDBPyConnection, name: str, description: str, sql: str, rows_shown: int
) -> CheckResult:
    found = con.execute(sql)
    columns = tuple(column[0] for column in found.description or ())
    rows = found.fetchmany(rows_shown)
    count = len(rows)
    while more := found.fetchmany(10_000):
        count += len(more)
    return CheckResult(name, description, columns, tuple(rows), count)
