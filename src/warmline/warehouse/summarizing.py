"""Keeps the tables that sum up calls in line with them: `warehouse/summaries`, one file a table.

What sums up calls is filled block by block of call numbers, and every row has the number of its
call, or of the first call of its block, in `call_no`. So a night fills the blocks of what it
touched, adding up floats anew and never taking any off. What has no `$first` in it is filled as a
whole, every time.
"""

import re
from collections.abc import Sequence

import duckdb

from warmline.warehouse.sql import SqlFile, digest, sql_files

CALLS_IN_BLOCK = 20_000


def summarize(con: duckdb.DuckDBPyConnection) -> None:
    """Fill the summaries of the calls in the temporary table `touched`, which `load` leaves.

    A table whose SQL is not what filled it before is filled for all calls. Needs the views.
    """
    before = dict(con.execute("SELECT name, sha256 FROM summaries").fetchall())
    for summary in sql_files("summaries"):
        made_by = _digest(summary)
        if "$first" not in summary.text:
            con.execute(f"DELETE FROM {summary.name}")
            con.execute(summary.text)
        elif made_by == before.get(summary.name):
            _fill(con, summary, _blocks(con, "touched"))
        else:
            con.execute(f"DELETE FROM {summary.name}")
            _fill(con, summary, _blocks(con, "calls"))
        con.execute("INSERT OR REPLACE INTO summaries VALUES ($1, $2)", [summary.name, made_by])


def _blocks(con: duckdb.DuckDBPyConnection, table: str) -> list[int]:
    """The numbers at which the blocks begin in which the calls of a table lie."""
    return [
        first
        for (first,) in con.execute(
            f"SELECT DISTINCT call_no - call_no % {CALLS_IN_BLOCK} AS first FROM {table} ORDER BY 1"
        ).fetchall()
    ]


def _fill(con: duckdb.DuckDBPyConnection, summary: SqlFile, blocks: Sequence[int]) -> None:
    for first in blocks:
        block = {"first": first, "last": first + CALLS_IN_BLOCK - 1}
        con.execute(f"DELETE FROM {summary.name} WHERE call_no BETWEEN $first AND $last", block)
        con.execute(summary.text, block)


def _digest(summary: SqlFile) -> str:
    """A digest of the SQL that fills a table, and of the views it reads."""
    views = sql_files("views")
    return digest(summary, *(v for v in views if re.search(rf"\b{v.name}\b", summary.text)))
