"""The one place that opens DuckDB: a warehouse to read or to build, or none at all."""

from contextlib import suppress
from pathlib import Path

import duckdb

from warmline.errors import WarehouseError


def open_for_reading(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that cannot change the warehouse; any number of them may be open.

    Raises WarehouseError when there is no such warehouse, or another program writes to it.
    """
    if not path.is_file():
        raise WarehouseError(f"{path}: no warehouse here; `warmline analyze` makes one")
    return _connect(path, read_only=True)


def open_for_building(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that writes to a warehouse nobody else knows of yet."""
    con = _connect(path, read_only=False)
    con.execute("SET TimeZone = 'UTC'")
    # Lists that are unnested look short to the planner: words would be looked up turn by turn.
    con.execute("SET asof_loop_join_threshold = 0")
    return con


def open_without_warehouse() -> duckdb.DuckDBPyConnection:
    """A connection to no file of its own: for landing files, and for tables of the moment."""
    return duckdb.connect()


def _connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    try:
        con = duckdb.connect(str(path), read_only=read_only)
    except duckdb.Error as e:
        cause = str(e).splitlines()[0]
        if "lock" in cause:
            raise WarehouseError(
                f"{path}: another program has it open for writing; close it, or open it there "
                f"read-only ({cause})"
            ) from e
        raise WarehouseError(f"{path}: not a warehouse that can be opened ({cause})") from e
    # DuckDB draws its own on standard output, where results are printed. Where this process has the
    # file open already, with its configuration locked, that was done then.
    with suppress(duckdb.InvalidInputException):
        con.execute("SET enable_progress_bar = false")
    return con
