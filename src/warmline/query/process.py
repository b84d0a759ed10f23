"""The process of one query or search: `questions` has it forked, and kills it when time is up.

It reads a warehouse and answers through a pipe. It cannot write or remove a file, open another one,
or use more memory or time than it is given, whatever the query makes DuckDB do: the statement must
be a SELECT, DuckDB may open no more files, and the operating system restricts the process itself.
"""

import gc
import json
import os
import pickle
import re
import select
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any, NoReturn

import duckdb

from warmline.database import load_extension, open_for_reading, prepare_for_forks
from warmline.errors import QueryError, WarmlineError
from warmline.processes import (
    end_with_parent,
    forbid_writing,
    leave_no_core_file,
    leave_pandas_out,
    limit_memory_and_time,
)
from warmline.query.questions import (
    EXIT_CODE,
    MEMORY_GB,
    Parameter,
    Query,
    literal,
    suggestion,
    too_large,
)
from warmline.query.search import SearchRequest, find_hits
from warmline.warehouse.landing_folder import show_landed_evaluations, show_landed_reviews
from warmline.warehouse.tables import note_of_version

# DuckDB's own limit: some of the process's memory is not DuckDB's.
_MEMORY, _THREADS = "3GiB", 4
_ROWS_AT_ONCE = 1000
# A process that nobody asks anything ends, and gives its memory back.
_IDLE_S = 60.0


def serve(parent: int) -> None:
    """Fork for each query, until `parent`, which asks them, ends or has not asked for a minute.

    Standard input is a socket. Over it come the descriptors of two others for each query: one for
    the query and its answer, and one for the exit code of the fork. A descriptor of the fork goes
    back, by which it can be killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_no_core_file()
    prepare_for_forks()
    gc.freeze()  # a fork that looks at none of it shares it
    control, asking = socket.socket(fileno=0), os.pidfd_open(parent)
    server = os.getpid()
    forks: dict[int, tuple[int, int]] = {}  # by descriptor: the process, and where its end is told
    asked = [control.fileno()]  # nothing, once no query is to come
    while os.getppid() == parent and (asked or forks):
        ready, _, _ = select.select([*asked, asking, *forks], [], [], _IDLE_S)
        for fork in forks.keys() & set(ready):
            process, ended = forks.pop(fork)
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            with suppress(ConnectionError):  # nobody waits for it
                os.write(ended, EXIT_CODE.pack(code))
            os.close(fork)
            os.close(ended)
        if asked and control.fileno() in ready:
            given: list[int] = []
            with suppress(OSError):
                _, given, _, _ = socket.recv_fds(control, 1, 2)
            if not given:
                asked.clear()  # it asks another server; what it has asked is answered
                continue
            question, ended = given
            try:
                process = os.fork()
            except OSError:  # the one that asks says so
                os.close(question)
                os.close(ended)
                with suppress(OSError):
                    control.send(b"!")
                continue
            if process == 0:
                for other in (asking, ended, *forks, *(place for _, place in forks.values())):
                    os.close(other)
                _answer_over(question, server)
            os.close(question)
            fork = os.pidfd_open(process)
            forks[fork] = process, ended
            with suppress(OSError):
                socket.send_fds(control, [b"!"], [fork])
        if not ready and not forks:
            return


def _answer_over(question: int, server: int) -> NoReturn:
    """Answer what comes over a socket, in this fork, and end it."""
    code = 1
    try:
        for stream in (sys.stdin, sys.stdout):
            os.dup2(question, stream.fileno())
        os.close(question)
        main(server)
        code = 0
    finally:
        os._exit(code)


def main(parent: int) -> None:
    """Read a query from standard input and write its result to standard output.

    The output is a sequence of pickled pairs: ("ready", None) when the warehouse is open,
    ("columns", names and types), ("rows", some of them) as often as it takes, ("end", None); or
    ("error", the name of the class and the message) in place of any of them. It ends with `parent`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that waits is interrupted, and kills it
    end_with_parent(parent)
    leave_no_core_file()
    leave_pandas_out()
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whatever libraries print

    def tell(kind: str, value: Any) -> None:
        pickle.dump((kind, value), out, protocol=5)
        out.flush()

    try:
        told = json.load(sys.stdin)
        os.environ.clear()
        os.environ.update(told.pop("environment"))
        os.chdir(told.pop("folder"))
        if "phrase" in told:
            answer_search(SearchRequest(**told), tell)
        else:
            parameters = tuple(Parameter(**each) for each in told.pop("parameters"))
            answer(Query(**told, parameters=parameters), tell)
    except WarmlineError as e:
        tell("error", (type(e).__name__, str(e)))
    except MemoryError:
        tell("error", (QueryError.__name__, too_large()))
    except Exception as e:  # a fault of ours: printed there, where somebody reads it
        tell("error", (type(e).__name__, str(e)))


def answer(query: Query, tell: Any) -> None:
    """Answer a query in this process, which is good for nothing else afterwards."""
    _limit(query.timeout_s)
    with reading(Path(query.warehouse)) as con, one_line_errors(con):
        forbid_writing()
        tell("ready", None)
        sql = _prepared(con, query)
        result = con.execute(sql)
        described = result.description or []
        tell("columns", ([str(c[0]) for c in described], [str(c[1]) for c in described]))
        left = query.limit + 1
        while left and (rows := result.fetchmany(min(left, _ROWS_AT_ONCE))):
            left -= len(rows)
            tell("rows", rows)
        tell("end", None)


def answer_search(request: SearchRequest, tell: Any) -> None:
    """Answer a search in this process, as `answer` does a query; a row is a hit as a tuple."""
    _limit(request.timeout_s)
    with reading(Path(request.warehouse), "fts") as con, one_line_errors(con):
        forbid_writing()
        tell("ready", None)
        hits = [astuple(hit) for hit in find_hits(con, request)]
        for first in range(0, len(hits), _ROWS_AT_ONCE):
            tell("rows", hits[first : first + _ROWS_AT_ONCE])
        tell("end", None)


def _limit(timeout_s: float) -> None:
    limit_memory_and_time(MEMORY_GB * 2**30, round(_THREADS * timeout_s) + 60)


@contextmanager
def reading(warehouse: Path, extension: str | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection that can read this warehouse and nothing else, whatever a query sets.

    Extensions are loaded first: later they could not be. Raises WarehouseError.
    """
    with open_for_reading(warehouse) as con:
        show_landed_reviews(con, warehouse)
        show_landed_evaluations(con, warehouse)
        if extension:
            load_extension(con, extension)
        for setting in (
            "TimeZone = 'UTC'",
            f"memory_limit = '{_MEMORY}'",
            f"threads = {min(_THREADS, os.cpu_count() or 1)}",
            "temp_directory = ''",  # no transcript in temporary files
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
            "python_enable_replacements = false",
            "enable_external_access = false",
            # That alone would leave the open file, and its log, writable.
            "disabled_filesystems = 'LocalFileSystem'",
            "lock_configuration = true",
        ):
            con.execute(f"SET {setting}")
        yield con


@contextmanager
def one_line_errors(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Turn DuckDB's errors into a QueryError of one line, which says if versions differ."""
    try:
        yield
    except duckdb.OutOfMemoryException as e:
        raise QueryError(too_large()) from e
    except (duckdb.CatalogException, duckdb.BinderException) as e:
        note = note_of_version(con)
        raise QueryError(_one_line(str(e)) + (f" ({note})" if note else "")) from e
    except duckdb.Error as e:
        raise QueryError(_one_line(str(e))) from e


def _prepared(con: duckdb.DuckDBPyConnection, query: Query) -> str:
    """Return the statement that answers the query.

    Python values are not passed to DuckDB, which would import pandas to examine them.
    """
    wanted = require_select(con, query.sql)
    values = _values(con, query) if query.name else dict(query.given)
    _require_names(wanted, values)
    if not wanted:
        return query.sql
    con.execute(f"PREPARE question AS\n{query.sql}")
    return f"EXECUTE question({', '.join(f'{k} := {v}' for k, v in values.items())})"


def require_select(con: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    """Return the names of the parameters of one SELECT, or EXPLAIN of one.

    Raises QueryError for anything else. EXPLAIN ANALYZE would run what it explains, and is refused
    for every statement.
    """
    statement = _one_statement(con, sql)
    if statement.type == duckdb.StatementType.EXPLAIN:
        _require_explained_select(con, sql)
    elif statement.type != duckdb.StatementType.SELECT:
        raise QueryError(
            f"{_name(statement)} is not allowed: a query can only read, begin it with SELECT"
        )
    return set(statement.named_parameters)


def _require_explained_select(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    try:
        explained = _one_statement(con, _after_first_word(sql))
    except duckdb.ParserException:
        raise QueryError(
            "EXPLAIN ANALYZE, and EXPLAIN with options, are not allowed: only EXPLAIN SELECT ..."
        ) from None
    if explained.type != duckdb.StatementType.SELECT:
        raise QueryError(f"EXPLAIN {_name(explained)} is not allowed: only EXPLAIN SELECT ...")


def _one_statement(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    statements = con.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"one statement at a time; this has {len(statements)}")
    return statements[0]


def _name(statement: Any) -> str:
    return str(statement.type.name)


def _after_first_word(sql: str) -> str:
    """Return the statement after EXPLAIN; DuckDB's token positions are counted in bytes."""
    (first, _), *_ = duckdb.tokenize(sql)
    return sql.encode()[first + len("EXPLAIN") :].decode()


def _require_names(wanted: set[str], values: Mapping[str, str]) -> None:
    for name in sorted(wanted - values.keys()):
        raise QueryError(f"parameter ${name} has no value; give it with --param {name}=...")
    for name in sorted(values.keys() - wanted):
        raise QueryError(f"no parameter ${name} in the query{suggestion(name, sorted(wanted))}")


def _values(con: duckdb.DuckDBPyConnection, query: Query) -> dict[str, str]:
    """Return the parameters of a named query in SQL, those that depend on others after them."""
    values: dict[str, str] = {}
    for parameter in sorted(query.parameters, key=lambda p: "$" in (p.default or "")):
        values[parameter.name] = _value(con, query, parameter, values)
    return values


def _value(
    con: duckdb.DuckDBPyConnection, query: Query, parameter: Parameter, known: Mapping[str, str]
) -> str:
    """Return a parameter's value as SQL, from the given value (text will do) or the default.

    An empty value, for anything but text, means no bound. `known` has the values of those
    parameters that a default may depend on.
    """
    name, kind = parameter.name, parameter.type
    value = parameter.default
    if name in query.given:
        given = query.given[name]
        value = "NULL" if given == "''" and kind != "VARCHAR" else given
    if value is None:
        raise QueryError(f"{query.name}: parameter {name} must be given: {parameter.meaning}")
    if name not in query.given:
        value = re.sub(r"\$(\w+)", lambda found: known[found[1]], value)
    try:
        ((found,),) = con.execute(f"SELECT CAST({value} AS {kind})").fetchall()
    except duckdb.Error as e:
        raise QueryError(
            f"{query.name}: {name} = {value} is not a {kind} ({parameter.meaning})"
        ) from e
    return f"CAST({literal(name, found)} AS {kind})"


def _one_line(message: str) -> str:
    """Return DuckDB's message without the excerpt of the query, on one line."""
    text = re.split(r"\n\s*LINE \d+:", message)[0]
    return " ".join(text.split())
