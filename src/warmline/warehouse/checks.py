"""Checks that must return no rows: `warehouse/checks/*.sql`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from warmline.warehouse.database import open_for_reading
from warmline.warehouse.sql import sql_files


@dataclass(frozen=True)
class CheckResult:
    """What one check found: `rows` are the first ones, `count` how many there are."""

    name: str
    description: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    count: int

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return self.count == 0

    def __str__(self) -> str:
        """What is wrong, in one line, with the first row."""
        if self.passed:
            return f"{self.name}: passed"
        pairs = zip(self.columns, self.rows[0], strict=True)
        first = ", ".join(f"{column} = {value}" for column, value in pairs)
        return f"{self.name}: {self.count} rows against it, the first: {first}"


def run_checks(con: duckdb.DuckDBPyConnection, rows_shown: int = 10) -> tuple[CheckResult, ...]:
    """Run every check."""
    return tuple(_run(con, f.name, f.header, f.text, rows_shown) for f in sql_files("checks"))


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
