"""The SQL files of the repository's `warehouse/` folder: they say what, this package says when.

A file in `tables/` or `marts/` is named after its table. It makes the table, says in comments what
its columns mean, and has, after a line that begins with `-- load:` or `-- fill:`, the statement
that fills it. Tables are never altered: a warehouse whose tables are made or loaded otherwise than
today's is built anew from the landing folder (`publishing.py`).
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from warmline.database import open_for_reading
from warmline.errors import WarehouseError
from warmline.files import folder

_FILLING = re.compile(r"^-- (?:load|fill):.*\n", re.MULTILINE)
_MACROS = """
SELECT DISTINCT function_name, function_type FROM duckdb_functions()
WHERE function_type IN ('macro', 'table_macro') AND NOT internal
    AND database_name = current_database()
"""
_VIEWS = """
SELECT view_name FROM duckdb_views() WHERE NOT internal AND database_name = current_database()
"""
# Columns of views without a comment, and what the tables say of their column of that name: those
# that the view reads, if they agree, else all.
_COMMENTS_OF_TABLES = """
WITH meant AS (
    SELECT
        columns.table_name,
        columns.column_name,
        of_tables.comment,
        regexp_matches(views.sql, '\\b' || tables.table_name || '\\b') AS is_read
    FROM duckdb_columns() AS columns
    INNER JOIN duckdb_views() AS views
        ON views.view_name = columns.table_name AND views.database_name = columns.database_name
    INNER JOIN duckdb_columns() AS of_tables
        ON of_tables.column_name = columns.column_name AND of_tables.comment IS NOT NULL
        AND of_tables.database_name = columns.database_name
    INNER JOIN duckdb_tables() AS tables
        ON tables.table_name = of_tables.table_name AND tables.schema_name = of_tables.schema_name
        AND tables.database_name = of_tables.database_name
    WHERE NOT views.internal AND columns.comment IS NULL
        AND columns.database_name = current_database()
)
SELECT
    table_name,
    column_name,
    coalesce(any_value(comment) FILTER (is_read), any_value(comment))
FROM meant
GROUP BY ALL
HAVING count(DISTINCT comment) FILTER (is_read) = 1
    OR (count(DISTINCT comment) FILTER (is_read) = 0 AND count(DISTINCT comment) = 1)
"""


@dataclass(frozen=True)
class SqlFile:
    """One SQL file. `name` is the file's without `.sql`; `header` the comment it begins with."""

    name: str
    text: str

    @property
    def header(self) -> str:
        """The comment lines at the top, without their dashes."""
        lines = []
        for line in self.text.splitlines():
            if not line.startswith("--"):
                break
            lines.append(line.removeprefix("--").strip())
        return "\n".join(lines)

    @property
    def definition(self) -> str:
        """The statements that make a table and comment it."""
        return _FILLING.split(self.text, maxsplit=1)[0]

    @property
    def filling(self) -> str:
        """The statement that fills the table; empty where code does."""
        return "".join(_FILLING.split(self.text, maxsplit=1)[1:])

    @property
    def comments(self) -> str:
        """The statements that say what the table and its columns mean, each on a line."""
        return "".join(line for line in self.text.splitlines(True) if _is_comment(line))

    @property
    def without_comments(self) -> "SqlFile":
        """The same file without what only tells people of it."""
        lines = self.text.splitlines(True)
        kept = [line for line in lines if not (line.startswith("--") or _is_comment(line))]
        return SqlFile(self.name, "".join(kept))


@cache
def sql_files(kind: str) -> tuple[SqlFile, ...]:
    """Return the files of one of the folders (`tables`, `views`, ...), in order of name."""
    found = sorted((folder("warehouse") / kind).glob("*.sql"))
    return tuple(SqlFile(path.stem, path.read_text(encoding="utf-8")) for path in found)


def loaded_tables() -> tuple[SqlFile, ...]:
    """Return the tables that are loaded from landing files, one row of `staged` an analysis."""
    return tuple(f for f in sql_files("tables") if f.filling and f.name != "staged")


def staging() -> SqlFile:
    """Return what reads a batch of landing files into the temporary table `staged`."""
    return next(file for file in sql_files("tables") if file.name == "staged")


def in_order_of_use(files: Iterable[SqlFile]) -> tuple[SqlFile, ...]:
    """Return the files, each after those whose names stand in its text as words."""
    named = {file.name: file for file in files}
    uses = {
        name: (named.keys() & set(re.findall(r"\w+", file.text))) - {name}
        for name, file in named.items()
    }
    return tuple(named[name] for name in TopologicalSorter(uses).static_order())


def digest(*files: SqlFile) -> str:
    """Return a digest of the files' names and texts."""
    text = "".join(f"{len(file.text)} {file.name}\n{file.text}" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()


def tables_digest() -> str:
    """Return a digest of how tables are made and loaded; comments do not count."""
    made = [SqlFile(mart.name, mart.definition) for mart in sql_files("marts")]
    return digest(*(file.without_comments for file in (*sql_files("tables"), *made)))


def define_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Make all tables of an empty warehouse. Raises WarehouseError naming the file that cannot."""
    con.execute("BEGIN")  # a commit for each of some hundred statements takes a fifth longer
    for file in (*sql_files("tables"), *sql_files("marts")):
        try:
            con.execute(file.definition)
        except duckdb.Error as e:
            raise WarehouseError(f"{file.name}.sql: {str(e).splitlines()[0]}") from e
    con.execute("COMMIT")


def comment_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Write today's comments on the tables of a warehouse that is not built anew."""
    for file in (*sql_files("tables"), *sql_files("marts")):
        con.execute(file.comments)


def define_views(con: duckdb.DuckDBPyConnection) -> None:
    """Make all macros and views anew, and drop those that there are no more.

    A column of a view that its file does not explain means what it means in the tables.
    """
    con.execute("BEGIN")
    for name, kind in con.execute(_MACROS).fetchall():
        con.execute(f'DROP MACRO {"TABLE " if kind == "table_macro" else ""}"{name}"')
    for (name,) in con.execute(_VIEWS).fetchall():
        con.execute(f'DROP VIEW "{name}"')
    for file in in_order_of_use((*sql_files("macros"), *sql_files("views"))):
        con.execute(file.text)
    for view, column, comment in con.execute(_COMMENTS_OF_TABLES).fetchall():
        meaning = comment.replace("'", "''")
        con.execute(f'COMMENT ON COLUMN "{view}"."{column}" IS \'{meaning}\'')
    con.execute("COMMIT")


def _is_comment(line: str) -> bool:
    return line.startswith("COMMENT ON ")


# Checks that must return no rows: `warehouse/checks/*.sql`.

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
