"""Questions to a published warehouse: read-only, with no way to the file system or the network.

Answers are plain Python; neither pyarrow nor pandas is imported, so that `warmline query` starts at
once.
"""

import difflib
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from warmline.database import open_for_reading
from warmline.errors import QueryError
from warmline.extensions import load_extension
from warmline.warehouse.landed_reviews import show_landed_reviews
from warmline.warehouse.sql import SqlFile, sql_files

DEFAULT_LIMIT = 1000
DEFAULT_TIMEOUT_S = 60.0

# A question leaves room for the night on the same machine, and no transcript in temporary files.
_MEMORY, _THREADS = "4GiB", 4
_PARAMETER = re.compile(r"\$(?P<name>\w+) (?P<type>\w+)(?: = (?P<default>.+?))?: (?P<meaning>.+)")
_READING = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}


@dataclass(frozen=True)
class Answer:
    """The rows of an answer. `types` are DuckDB's; `truncated` says that there are more rows."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool


@dataclass(frozen=True)
class Parameter:
    """A parameter of a named query. `default` is an SQL expression, None when it must be given.

    It may rest on other parameters, as `$name`.
    """

    name: str
    type: str
    default: str | None
    meaning: str


@dataclass(frozen=True)
class NamedQuery:
    """A query in `warehouse/queries`, described by the comment it begins with."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    sql: str


def named_queries() -> dict[str, NamedQuery]:
    """All named queries by name."""
    return {file.name: _parsed(file) for file in sql_files("queries")}


def ask(
    warehouse: Path,
    sql: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    limit: int = DEFAULT_LIMIT,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Answer:
    """The answer to one SELECT; `$name` in it is filled from `parameters`.

    At most `limit` rows, after at most `timeout_s` seconds. Raises QueryError, in one line, for a
    query that is wrong, takes too long, or would do anything but read the warehouse; WarehouseError
    when there is none.
    """
    with reading(warehouse) as con, one_line_errors(timeout_s):
        given = {name: literal(name, value) for name, value in (parameters or {}).items()}
        return _answered(con, sql, given, limit, timeout_s)


def ask_named(
    warehouse: Path,
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    limit: int = DEFAULT_LIMIT,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Answer:
    """The answer to a named query; parameters may be given as text, and are else their defaults.

    Raises as `ask`, and QueryError for a name, parameter or value that does not fit, saying which
    would.
    """
    query = named_query(name)
    given = dict(parameters or {})
    known = [parameter.name for parameter in query.parameters]
    for unknown in given.keys() - set(known):
        raise QueryError(
            f"{name}: no parameter {unknown!r}{_suggestion(unknown, known)}"
            f" (it has {', '.join(known) or 'none'})"
        )
    with reading(warehouse) as con, one_line_errors(timeout_s):
        values: dict[str, str] = {}
        for parameter in sorted(query.parameters, key=lambda p: "$" in (p.default or "")):
            values[parameter.name] = _value(con, query, parameter, given, values)
        return _answered(con, query.sql, values, limit, timeout_s)


def named_query(name: str) -> NamedQuery:
    """One named query. Raises QueryError, suggesting a name, when there is none of this name."""
    queries = named_queries()
    if name not in queries:
        raise QueryError(
            f"no query is named {name!r}{_suggestion(name, list(queries))}; "
            "`warmline query --list` shows all"
        )
    return queries[name]


def _answered(
    con: duckdb.DuckDBPyConnection,
    sql: str,
    values: Mapping[str, str],
    limit: int,
    timeout_s: float,
) -> Answer:
    """The answer to a query whose parameters have these values, written in SQL.

    Python values are not handed to DuckDB, which would import pandas to look at them.
    """
    wanted = _require_question(con, sql)
    _require_names(wanted, values)
    with interrupted_after(con, timeout_s):
        if wanted:
            con.execute(f"PREPARE question AS\n{sql}")
            sql = f"EXECUTE question({', '.join(f'{k} := {v}' for k, v in values.items())})"
        result = con.execute(sql)
        rows = result.fetchmany(limit + 1)
        described = result.description or []
    return Answer(
        columns=tuple(column[0] for column in described),
        types=tuple(str(column[1]) for column in described),
        rows=tuple(rows[:limit]),
        truncated=len(rows) > limit,
    )


@contextmanager
def reading(warehouse: Path, extension: str | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that can read this warehouse, nothing else, and cannot be talked out of it.

    An extension is loaded first: later it could not be. Raises WarehouseError.
    """
    with open_for_reading(warehouse) as con:
        show_landed_reviews(con, warehouse)
        if con.execute("SELECT current_setting('lock_configuration')").fetchone() == (True,):
            yield con  # the same file is being asked in this process already, and so locked
            return
        if extension:
            load_extension(con, extension)
        for setting in (
            "TimeZone = 'UTC'",
            f"memory_limit = '{_MEMORY}'",
            f"threads = {min(_THREADS, os.cpu_count() or 1)}",
            "temp_directory = ''",
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
            "python_enable_replacements = false",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            con.execute(f"SET {setting}")
        yield con


@contextmanager
def one_line_errors(timeout_s: float) -> Iterator[None]:
    """What DuckDB complains of becomes a QueryError in one line."""
    try:
        yield
    except duckdb.InterruptException as e:
        raise QueryError(f"the query took more than {timeout_s:g} s and was stopped") from e
    except duckdb.Error as e:
        raise QueryError(_one_line(str(e))) from e


@contextmanager
def interrupted_after(con: duckdb.DuckDBPyConnection, timeout_s: float) -> Iterator[None]:
    """What the connection does in the block is stopped after so many seconds."""
    timer = threading.Timer(timeout_s, con.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _require_question(con: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    """The names of the parameters of one statement that only reads."""
    statements = con.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"one statement at a time; this has {len(statements)}")
    kind = statements[0].type
    if kind not in _READING:
        raise QueryError(f"{kind.name} is not allowed: a question only reads, begin with SELECT")
    return set(statements[0].named_parameters)


def _require_names(wanted: set[str], values: Mapping[str, str]) -> None:
    for name in sorted(wanted - values.keys()):
        raise QueryError(f"parameter ${name} has no value; give it with --param {name}=...")
    for name in sorted(values.keys() - wanted):
        raise QueryError(f"no parameter ${name} in the query{_suggestion(name, sorted(wanted))}")


def _value(
    con: duckdb.DuckDBPyConnection,
    query: NamedQuery,
    parameter: Parameter,
    given: Mapping[str, Any],
    known: Mapping[str, str],
) -> str:
    """A parameter's value as SQL, from what was given (text will do) or the default.

    Nothing, given for anything but text, is no bound at all. `known` has the values of those
    parameters that a default may rest on.
    """
    name, kind = parameter.name, parameter.type
    value = parameter.default
    if name in given:
        value = literal(name, None if given[name] == "" and kind != "VARCHAR" else given[name])
    if value is None:
        raise QueryError(f"{query.name}: parameter {name} must be given: {parameter.meaning}")
    if name not in given:
        value = re.sub(r"\$(\w+)", lambda found: known[found[1]], value)
    try:
        ((found,),) = con.execute(f"SELECT CAST({value} AS {kind})").fetchall()
    except duckdb.Error as e:
        raise QueryError(
            f"{query.name}: {name} = {value} is not a {kind} ({parameter.meaning})"
        ) from e
    return f"CAST({literal(name, found)} AS {kind})"


def literal(name: str, value: Any) -> str:
    """A Python value as it is written in SQL; `name` says whose, in the QueryError for others."""
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S.%f}'"
    if isinstance(value, date):
        return f"DATE '{value:%Y-%m-%d}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    raise QueryError(f"parameter {name}: a {type(value).__name__} cannot be a parameter")


@cache
def _parsed(file: SqlFile) -> NamedQuery:
    lines = file.header.splitlines()
    description = " ".join(line for line in lines if not line.startswith("$"))
    parameters = []
    for line in lines:
        if line.startswith("$"):
            found = _PARAMETER.fullmatch(line)
            if not found:
                raise QueryError(f"{file.name}.sql: cannot read the parameter line {line!r}")
            parameters.append(Parameter(**found.groupdict()))
    return NamedQuery(file.name, description, tuple(parameters), file.text)


def _suggestion(word: str, candidates: list[str]) -> str:
    close = difflib.get_close_matches(word, candidates, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _one_line(message: str) -> str:
    """DuckDB's message without the picture of the query, in one line."""
    text = re.split(r"\n\s*LINE \d+:", message)[0]
    return " ".join(text.split())
