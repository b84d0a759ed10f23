"""The published warehouse as a server reads it: one DuckDB for each file that takes its place.

DuckDB goes on with the file that it opened, although the night has put another in its place. Every
request therefore looks at the file first; a new one is opened once, those who still read the old
one finish with it, and the last of them closes it.
"""

import os
import re
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from warmline.database import open_for_reading
from warmline.errors import QueryError, WarehouseError
from warmline.query.calls import CallPage, NamedCall, page_of
from warmline.warehouse.landing_folder import show_landed_reviews
from warmline.warehouse.tables import note_of_version
from warmline.web.accounts import Right

if TYPE_CHECKING:
    from warmline.web.site import Visit

Row = dict[str, Any]

_CALLS = """
SELECT landing_key, call_id, agent_id, agents, team, queue, started_at, duration_s FROM calls
WHERE landing_key IN $keys
"""
_AGENTS = "SELECT DISTINCT agent_id FROM calls WHERE agent_id IS NOT NULL ORDER BY agent_id"
_VALIDATED = "SELECT validated FROM metric_definitions WHERE is_current AND name = $name"
#: A validation that says no, and perhaps why: "no; of detected opportunities ...".
NOT_VALIDATED = re.compile(r"\Ano\b[;,:]?\s*")
_MEMORY, _THREADS = "1GiB", 2
_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Condition:
    """A condition in SQL, with the values of its parameters."""

    sql: str
    values: dict[str, Any]
    reads_measures: bool = False


@dataclass(frozen=True)
class Snapshot:
    """Which file of the warehouse is meant: another inode or time of change, another file."""

    device: int
    inode: int
    modified_ns: int

    @property
    def published_at(self) -> datetime:
        """Return when the file was put in place, UTC."""
        return datetime.fromtimestamp(self.modified_ns / 1e9, UTC)


@dataclass
class _Generation:
    """A DuckDB instance on one file, and how many requests read from it."""

    snapshot: Snapshot
    connection: duckdb.DuckDBPyConnection
    readers: int = 0
    is_current: bool = True
    kept: set[str] = field(default_factory=set)
    keeping: defaultdict[str, threading.Lock] = field(
        default_factory=lambda: defaultdict(threading.Lock)
    )


class Reader:
    """A cursor of one request, on one file from its first row to its last."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, generation: _Generation) -> None:
        self.cursor = cursor
        self.snapshot = generation.snapshot
        self._generation = generation

    def kept(self, name: str, sql: str | None = None) -> str:
        """Return a table in memory with the rows of this view, or of this query.

        It is made once for each file of the warehouse, which does not change while it is read.
        """
        with self._generation.keeping[name]:
            if name not in self._generation.kept:
                with _asking(self.cursor, _TIMEOUT_S):
                    source = sql or f"SELECT * FROM {name}"
                    self.cursor.execute(f"CREATE OR REPLACE TABLE memory.main.{name} AS {source}")
                self._generation.kept.add(name)
        return f"memory.main.{name}"

    def agents(self) -> list[str]:
        """Return the agents who took calls, in order of name."""
        table = self.kept("agent_names", _AGENTS)
        return [str(row["agent_id"]) for row in self.rows(f"SELECT * FROM {table}")]

    def calls(self, landing_keys: Collection[str]) -> dict[str, Row]:
        """Return calls by landing key: id, agent, team, queue, start and length."""
        found = self.rows(_CALLS, {"keys": sorted(set(landing_keys))}) if landing_keys else []
        return {row["landing_key"]: row for row in found}

    def is_validated(self, measure: str) -> bool:
        """Return whether a measure was compared with what people hear in calls; true if unknown."""
        told = self.rows(_VALIDATED, {"name": measure})
        return not any(NOT_VALIDATED.match(row["validated"]) for row in told)

    @contextmanager
    def within_time(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give the cursor. Raises QueryError when what is asked takes more than half a minute."""
        with _asking(self.cursor, _TIMEOUT_S):
            yield self.cursor

    def rows(self, sql: str, parameters: dict[str, Any] | None = None) -> list[Row]:
        """Return the rows of a query, each as a dictionary by column.

        `column IN $names` takes a list of values. Raises QueryError when the query takes more than
        half a minute.
        """
        with _asking(self.cursor, _TIMEOUT_S):
            result = self.cursor.execute(*_written_out(sql, parameters or {}))
            names = [column[0] for column in result.description or ()]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def value(self, sql: str, parameters: dict[str, Any] | None = None) -> Any:
        """Return the only value of a query that has one row and one column."""
        ((found,),) = (row.values() for row in self.rows(sql, parameters))
        return found


@dataclass
class Warehouse:
    """The warehouse at a path, whichever file lies there at the time."""

    path: Path
    _current: _Generation | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def reading(self, *, reviews: bool = False) -> Iterator[Reader]:
        """Give a cursor on the file that lies there now; with `reviews` also those just landed.

        Raises WarehouseError when there is no warehouse, EncryptionError when its key is missing.
        """
        generation = self._entered()
        cursor = generation.connection.cursor()
        try:
            cursor.execute("USE warehouse")
            cursor.execute("SET TimeZone = 'UTC'")
            if reviews:
                show_landed_reviews(cursor, self.path)
            yield Reader(cursor, generation)
        finally:
            cursor.close()
            self._left(generation)

    def snapshot(self) -> Snapshot:
        """Return which file lies there now. Raises WarehouseError when there is none."""
        try:
            status = os.stat(self.path)  # noqa: PTH116
        except OSError as e:
            raise WarehouseError(
                f"{self.path}: no warehouse here ({e.strerror}); `warmline analyze` makes one"
            ) from e
        return Snapshot(status.st_dev, status.st_ino, status.st_mtime_ns)

    def close(self) -> None:
        """Close the file as soon as nobody reads it any more."""
        with self._lock:
            self._retire()

    def _entered(self) -> _Generation:
        snapshot = self.snapshot()
        with self._lock:
            if self._current is None or self._current.snapshot != snapshot:
                opened = _opened(self.path, snapshot)
                self._retire()
                self._current = opened
            self._current.readers += 1
            return self._current

    def _left(self, generation: _Generation) -> None:
        with self._lock:
            generation.readers -= 1
            if not generation.is_current and not generation.readers:
                generation.connection.close()

    def _retire(self) -> None:
        old, self._current = self._current, None
        if old is not None:
            old.is_current = False
            if not old.readers:
                old.connection.close()


def _opened(path: Path, snapshot: Snapshot) -> _Generation:
    con = open_for_reading(path)
    try:
        # Temporary tables of reviews stay in memory, and no query reaches another file.
        con.execute(f"SET memory_limit = '{_MEMORY}'")
        con.execute(f"SET threads = {_THREADS}")
        con.execute("SET temp_directory = ''")
        con.execute("SET python_enable_replacements = false")
        con.execute("SET enable_external_access = false")
    except duckdb.Error:
        con.close()
        raise
    return _Generation(snapshot, con)


def _written_out(sql: str, parameters: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a query in which each `IN $names` is a list of single parameters.

    DuckDB then skips what cannot hold one of them, instead of reading the column of all calls.
    """
    given = dict(parameters)
    for name, values in parameters.items():
        place = re.compile(rf"\bIN \${name}\b")
        if isinstance(values, list) and place.search(sql):
            single = {f"{name}_{i}": value for i, value in enumerate(values)}
            listed = ", ".join(f"${one}" for one in single) or "NULL"
            sql = place.sub(f"IN ({listed})", sql)
            given = {one: value for one, value in given.items() if one != name} | single
    return sql, given


@contextmanager
def _asking(con: duckdb.DuckDBPyConnection, timeout_s: float) -> Iterator[None]:
    """Interrupt what takes longer. Raises QueryError for it, and WarehouseError where something is
    missing because another version published the file.
    """
    timer = threading.Timer(timeout_s, con.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as e:
        raise QueryError(
            f"the page took more than {timeout_s:g} s to look up; choose fewer days"
        ) from e
    except (duckdb.CatalogException, duckdb.BinderException) as e:
        if note := note_of_version(con):
            raise WarehouseError(note) from e
        raise
    finally:
        timer.cancel()


# What a user may read of calls.

_PEOPLE = ("agent_id", "customer_id")
_OF_FILES = ("path", "extra", "call_id_note", "claimed_call_id")
_NAMES_A_FILE = "why is not shown to your role, as it may name the file"


def rows_for(visit: "Visit", rows: list[Row]) -> list[Row]:
    """Return rows of calls as this user may read them: with pseudonyms, without names of files."""
    if visit.user.may(Right.NAMES):
        return rows
    shown = []
    for row in rows:
        named = {name: visit.name_of(row[name]) for name in _PEOPLE if name in row}
        hidden: Row = {name: None for name in _OF_FILES if name in row}
        if row.get("reason") is not None:
            hidden["reason"] = _NAMES_A_FILE
        shown.append(row | named | hidden)
    return shown


def page_for(visit: "Visit", reader: Reader, call: NamedCall) -> CallPage:
    """Return the rows of a call as this user may read them."""
    page = page_of(reader.cursor, call.call_id, with_profile=False)
    if visit.user.may(Right.NAMES):
        return page
    (row,) = rows_for(visit, [page.call])
    reviews = [review | {"remarks": None, "reviewers": []} for review in page.reviews]
    return replace(page, call=row, reviews=reviews)
