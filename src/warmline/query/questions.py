"""Query a published warehouse: read-only, without access to the file system or the network.

Each query is answered by a process of its own (`query.process`), which can be killed at any time
and is restricted by the operating system. It is forked from one that has already imported DuckDB,
which takes longer than most answers; that one is started for the first query and kept for the next
ones. DuckDB is not even imported here, nor is pyarrow or pandas, so that `warmline query` starts at
once.
"""

import atexit
import difflib
import json
import os
import pickle
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import IO, Any

from warmline import errors
from warmline.encryption import key_environment
from warmline.errors import QueryError, WarmlineError
from warmline.warehouse.tables import COLUMN_COMMENTS, SqlFile, meanings_among, sql_files

DEFAULT_LIMIT = 1000
DEFAULT_TIMEOUT_S = 60.0
#: What the process of a query may take: that leaves room for the night on the same machine.
MEMORY_GB = 4

# A result is kept in memory here, at several times its size in the pipe.
_LARGEST_ANSWER_BYTES = 256_000_000
_LONGEST_LINE_BYTES = 1000
_GOODBYE_S = 10.0
#: All that values of DuckDB are made of besides what pickle knows itself.
_TYPES = {
    *(("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")),
    ("decimal", "Decimal"),
    ("pytz", "_UTC"),
    ("uuid", "UUID"),
}
_MEANING = r"(?m)^COMMENT ON (?:TABLE|VIEW) (?:facts\.)?{name} IS '((?:[^']|'')*)';"
_PARAMETER = re.compile(r"\$(?P<name>\w+) (?P<type>\w+)(?: = (?P<default>.+?))?: (?P<meaning>.+)")


@dataclass(frozen=True)
class QueryResult:
    """The rows of a result. `types` are DuckDB's; `truncated` tells that there are more rows."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool


@dataclass(frozen=True)
class Parameter:
    """A parameter of a named query. `default` is an SQL expression, None when a value is required.

    It may refer to other parameters, as `$name`.
    """

    name: str
    type: str
    default: str | None
    meaning: str


@dataclass(frozen=True)
class NamedQuery:
    """A query in `warehouse/queries`, described by its opening comment."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    sql: str


@dataclass(frozen=True)
class Query:
    """The input of a query's process: a SELECT, and the given parameters as SQL.

    `name` and `parameters` are those of a named query.
    """

    warehouse: str
    sql: str
    given: Mapping[str, str]
    limit: int
    timeout_s: float
    name: str | None = None
    parameters: tuple[Parameter, ...] = ()


def named_queries() -> dict[str, NamedQuery]:
    """Return all named queries by name."""
    return {file.name: _parsed(file) for file in sql_files("queries")}


def ask(
    warehouse: Path,
    sql: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    limit: int = DEFAULT_LIMIT,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> QueryResult:
    """Return the result of one SELECT; `$name` in it is filled from `parameters`.

    At most `limit` rows, after at most `timeout_s` seconds. Raises QueryError, in one line, for a
    query that is wrong, takes too long, or would do anything but read the warehouse; WarehouseError
    when there is none.
    """
    given = _literals(parameters)
    return _answer_of(Query(str(warehouse), sql, given, limit, timeout_s))


def ask_named(
    warehouse: Path,
    name: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    limit: int = DEFAULT_LIMIT,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> QueryResult:
    """Return the result of a named query; parameters may be given as text, or take their defaults.

    Raises as `ask`, and QueryError for an invalid name, parameter or value, with the valid ones.
    """
    query = named_query(name)
    given = _literals(parameters)
    known = [parameter.name for parameter in query.parameters]
    for unknown in given.keys() - set(known):
        raise QueryError(
            f"{name}: no parameter {unknown!r}{suggestion(unknown, known)}"
            f" (it has {', '.join(known) or 'none'})"
        )
    return _answer_of(
        Query(
            str(warehouse),
            query.sql,
            given,
            limit,
            timeout_s,
            query.name,
            query.parameters,
        )
    )


def named_query(name: str) -> NamedQuery:
    """Return one named query. Raises QueryError, suggesting a name, when there is none."""
    queries = named_queries()
    if name not in queries:
        near = suggestion(name, [*queries, *known_tables()])
        raise QueryError(
            f"no query, table or view is named {name!r}{near} (`warmline query --list` shows all)"
        )
    return queries[name]


@dataclass(frozen=True)
class KnownTable:
    """A table or view that people ask for by its name. `kind` is `table` or `view`."""

    name: str
    kind: str
    description: str


def known_tables() -> dict[str, KnownTable]:
    """Return the tables and views of a warehouse by name, with what their rows are."""
    kinds = {"tables": "table", "marts": "table", "views": "view"}
    found = {}
    for place, kind in kinds.items():
        for file in sql_files(place):
            if said := re.search(_MEANING.format(name=file.name), file.text):
                found[file.name] = KnownTable(file.name, kind, said[1].replace("''", "'"))
    return found


def as_select(question: str) -> str:
    """Return the SELECT that the name of a table or view stands for; anything else as it is."""
    return f'FROM "{question}"' if question in known_tables() else question


#: Parameters that name something: what an error says of a name that nothing has, and where the
#: names are.
_NAMED = {
    "agent": ("call has the agent", "agent_id", "calls"),
    "team": ("call has the team", "team", "calls"),
    "queue": ("call has the queue", "queue", "calls"),
    "kind": ("feeling is of the kind", "kind", "opportunities"),
    "cue": ("quote is of", "cue", "quotes"),
    "role": ("party has the role", "role", "parties"),
    "form": ("evaluation is by the form", "form", "evaluations"),
    "outcome": ("outcome is named", "name", "outcomes"),
    "subject": ("review is of the subject", "subject", "reviews"),
}
#: The feelings of the ledger.
FEELINGS = (
    "fear_anxiety",
    "anger_frustration",
    "sadness_disappointment",
    "confusion_powerlessness",
)
#: Names that these may have in any warehouse, also where nothing has one so far.
_ALWAYS = {
    "kind": FEELINGS,
    "cue": FEELINGS,
    "role": ("agent", "customer"),
    "subject": ("cue", "metric"),
}
_MOST_LISTED = 12


def require_possible(warehouse: Path, given: Mapping[str, str]) -> None:
    """Raise QueryError if these parameters can match no call.

    Either the period ends before it begins (`since`, `until`), or nothing has the name that is
    given: no call that agent, no outcome that name. Meant for questions that returned no rows.
    Raises as `ask` otherwise.
    """
    with suppress(ValueError):  # another form of a day, which DuckDB has understood
        since, until = (date.fromisoformat(given.get(name) or "") for name in ("since", "until"))
        if since >= until:
            raise QueryError(f"no day lies between since={since} and until={until}: swap them")
    for name, (what, column, table) in _NAMED.items():
        if not (wanted := given.get(name)):
            continue
        rows = ask(warehouse, f"SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL")
        known = sorted({*(str(value) for (value,) in rows.rows), *_ALWAYS.get(name, ())})
        if wanted not in known and not rows.truncated:
            listed = f"; there are {', '.join(known)}" if 0 < len(known) <= _MOST_LISTED else ""
            raise QueryError(f"no {what} {wanted!r}{suggestion(wanted, known) or listed}")


def column_meanings(warehouse: Path, question: str, columns: Sequence[str]) -> dict[str, str]:
    """Return what columns of an answer mean, as far as the warehouse tells. Raises as `ask`."""
    comments = ask(warehouse, COLUMN_COMMENTS, limit=100_000).rows
    return meanings_among(comments, question, columns)


def too_large() -> str:
    """Return the error for a query that took too much memory, with what to do."""
    return f"the query needs more than {MEMORY_GB} GB of memory: ask for fewer rows or columns"


def _answer_of(query: Query) -> QueryResult:
    names, types, rows = answered_apart(asdict(query), query.timeout_s)
    limit = query.limit
    return QueryResult(names, types, tuple(rows[:limit]), truncated=len(rows) > limit)


def answered_apart(
    asked: Mapping[str, Any], timeout_s: float
) -> tuple[tuple[str, ...], tuple[str, ...], list[tuple[Any, ...]]]:
    """Return names and types of columns, and rows, from a process that is killed after its time.

    `asked` is what that process is told. Raises as `ask`.
    """
    with _process(asked) as (process, sent):
        with _killed_after(process, _STARTUP_S) as late:
            kind, value = _received(process, sent, late, timeout_s)
        columns: tuple[list[str], list[str]] = ([], [])
        rows: list[tuple[Any, ...]] = []
        with _killed_after(process, timeout_s) as late:
            while kind != "end":
                kind, value = _received(process, sent, late, timeout_s)
                if kind == "columns":
                    columns = value
                elif kind == "rows":
                    rows += value
    names, types = columns
    return tuple(names), tuple(types), rows


@contextmanager
def _process(asked: Mapping[str, Any]) -> Iterator[tuple["Process", "_Sent"]]:
    """A process that answers what is asked, and what it sends; it is gone after the block."""
    here = {"environment": key_environment(os.environ), "folder": _current_folder()}
    answer, question = socket.socketpair()
    with answer, answer.makefile("rb") as sent:
        with question:
            started = _process_for(question)
        with started as process:
            try:
                with suppress(ConnectionError):  # why it has ended is found out by reading
                    answer.sendall(json.dumps({**here, **asked}).encode())
                    answer.shutdown(socket.SHUT_WR)
                yield process, _Sent(sent)
            finally:
                process.kill()


def _current_folder() -> str:
    """Return the current folder, from which a relative path of a warehouse is found."""
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # it was removed: no relative path is found, and others need none
        return "/"


@contextmanager
def _killed_after(process: "Process", timeout_s: float) -> Iterator[threading.Event]:
    """Kill the process when the block takes too long; the event tells that this happened."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(timeout_s, kill)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        timer.join()  # it kills nothing later


def _received(
    process: "Process", sent: "_Sent", late: threading.Event, timeout_s: float
) -> tuple[str, Any]:
    """Return the next message of the process. Raises the error that it reports."""
    try:
        kind, value = _Values(sent).load()
    except (EOFError, ConnectionError, pickle.UnpicklingError) as e:
        if late.is_set():
            raise QueryError(f"the query took more than {timeout_s:g} s and was stopped") from e
        ended = _ended(process)
        if -ended in (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV):
            raise QueryError(too_large()) from e
        raise QueryError(f"the query's process ended by itself (exit code {ended})") from e
    if kind == "error":
        name, message = value
        known = getattr(errors, name, None)
        if isinstance(known, type) and issubclass(known, WarmlineError):
            raise known(message)
        raise RuntimeError(f"{name} in the query's process: {message}")
    return kind, value


def _ended(process: "Process") -> int:
    """Return the exit code of a process that sends nothing any more."""
    try:
        return process.wait(_GOODBYE_S)
    except subprocess.TimeoutExpired:  # it sends nothing that can be understood
        process.kill()
        return process.wait()


class _Sent:
    """The output of a process, read up to a limit."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = _LARGEST_ANSWER_BYTES

    def read(self, size: int, /) -> bytes:
        """Read as a file does. Raises QueryError beyond the bound, before reading so much."""
        self._left -= size
        if self._left < 0:
            raise QueryError(
                f"the answer is larger than {_LARGEST_ANSWER_BYTES // 1_000_000} MB: ask for fewer "
                "rows or columns"
            )
        return self._stream.read(size)

    def readline(self) -> bytes:
        """Read a line as a file does: pickles of today have none, but may be asked for one."""
        return self._stream.readline(_LONGEST_LINE_BYTES)


class _Values(pickle.Unpickler):
    """Unpickles plain values only: nothing that the process sends can run code here."""

    def find_class(self, module: str, name: str, /) -> Any:
        """Find a type of values. Raises UnpicklingError for anything else."""
        if (module, name) not in _TYPES:
            raise pickle.UnpicklingError(f"{module}.{name} is no value of a query")
        return super().find_class(module, name)


def _literals(parameters: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: literal(name, value) for name, value in (parameters or {}).items()}


def literal(name: str, value: Any) -> str:
    """Return a Python value as it is written in SQL; `name` is for the QueryError about others."""
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            value = value.astimezone(UTC)  # times of the warehouse are UTC
        return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S.%f}'"
    if isinstance(value, date):
        return f"DATE '{value:%Y-%m-%d}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    raise QueryError(f"parameter {name}: a {type(value).__name__} cannot be a parameter")


@cache
def _parsed(file: SqlFile) -> NamedQuery:
    parameters = []
    for line in file.header.splitlines():
        if line.startswith("$"):
            found = _PARAMETER.fullmatch(line)
            if not found:
                raise QueryError(f"{file.name}.sql: cannot read the parameter line {line!r}")
            parameters.append(Parameter(**found.groupdict()))
    return NamedQuery(file.name, file.description, tuple(parameters), file.text)


def suggestion(word: str, candidates: list[str]) -> str:
    """Return `; did you mean ...?` with the nearest of the candidates, if one is near."""
    close = difflib.get_close_matches(word, candidates, n=1)
    return f"; did you mean {close[0]}?" if close else ""


# Start the processes of queries.


#: Time to start a process and open a warehouse, on a busy machine.
_STARTUP_S = 60.0
#: How the exit code of a fork is told.
EXIT_CODE = struct.Struct("i")
# macOS has no descriptors of processes: there, each query starts a process from the beginning.
_FORKS = sys.platform == "linux"
# Its modules are where ours are; anything else Python would run at startup is left out.
_START = "import sys; sys.path[:] = {path!r}; from warmline.query.process import {call}"
_ENVIRONMENT = ("LD_LIBRARY_PATH", "LANG", "LC_ALL", "LC_CTYPE")


def _start(call: str, connection: socket.socket) -> "subprocess.Popen[bytes]":
    """Start a process that calls this function of `query.process`."""
    here = str(Path(__file__).resolve().parents[1])
    path = [here, *(place for place in sys.path if place)]
    start = _START.format(path=path, call=f"{call}; {call}({os.getpid()})")
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", start],
        stdin=connection.fileno(),
        stdout=connection.fileno(),
        stderr=subprocess.DEVNULL,  # native code has its own messages for running out of memory
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
    )


class _Fork:
    """A fork of the server, used as the process that it is, though it is no child of this one."""

    def __init__(self, process: int, ended: socket.socket) -> None:
        self._process = process
        self._ended = ended
        self._code: int | None = None

    def __enter__(self) -> "_Fork":
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._ended.close()
        os.close(self._process)

    def kill(self) -> None:
        """Kill it, if it has not ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def wait(self, timeout_s: float | None = None) -> int:
        """Return its exit code, as Popen does. Raises TimeoutExpired."""
        if self._code is None:
            self._ended.settimeout(timeout_s)
            try:
                code = self._ended.recv(EXIT_CODE.size)
            except TimeoutError as e:
                raise subprocess.TimeoutExpired("query", timeout_s or 0) from e
            # Nothing comes from a server that was killed, and its forks with it.
            self._code = EXIT_CODE.unpack(code)[0] if code else -signal.SIGKILL
        return self._code


Process = _Fork | subprocess.Popen[bytes]


class _Server:
    """The process that forks for each query.

    It is started for the first one, and ends with this process, or once nothing was asked for a
    while; then the next query starts another. A fork of this process has a server of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._left: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start it, unless it runs."""
        with self._lock:
            if self._control is None:
                self._restart()

    def fork(self, question: socket.socket) -> _Fork:
        """Return a fork that answers what it is asked over a socket. Raises QueryError."""
        with self._lock:
            try:
                if self._control is not None:
                    with suppress(OSError):  # it has ended
                        return self._forked(self._control, question)
                return self._forked(self._restart(), question)
            except OSError as e:
                raise QueryError(f"the process that answers queries does not start ({e})") from e
            except BaseException:  # interrupted: what it has sent is for this query
                self._leave()
                raise

    def end(self) -> None:
        """End it, and what it has forked."""
        self._leave()
        for process in self._left:
            process.kill()
            process.wait()
        self._left.clear()

    def _leave(self) -> None:
        """Ask it nothing more: it ends once the queries of other threads are answered."""
        if self._process is not None and self._control is not None:
            self._control.close()
            self._left.append(self._process)
        self._process = self._control = None
        self._left = [process for process in self._left if process.poll() is None]

    def _restart(self) -> socket.socket:
        self._leave()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = _start("serve", theirs)
        self._control.settimeout(_STARTUP_S)
        return self._control

    def _forked(self, control: socket.socket, question: socket.socket) -> _Fork:
        ended, ends = socket.socketpair()
        with ends:
            socket.send_fds(control, [b"?"], [question.fileno(), ends.fileno()])
        told, fork, _, _ = socket.recv_fds(control, 1, 1)
        if not fork:
            ended.close()
            if told:
                raise QueryError("no process can be started for a query: too many run already")
            raise ConnectionResetError("it ended at once")
        return _Fork(fork[0], ended)


_server = _Server()
atexit.register(lambda: _server.end())
_of_parents: list[_Server] = []  # kept: a process that is nobody's is reported when it is collected


def _leave_to_parent() -> None:
    global _server
    _of_parents.append(_server)
    _server = _Server()


os.register_at_fork(after_in_child=_leave_to_parent)


def get_ready() -> None:
    """Start now what the first query would wait for, beside whatever comes before it."""
    if _FORKS:
        _server.start()


def _process_for(question: socket.socket) -> Process:
    """Return a process that answers what it is asked over a socket. Raises QueryError."""
    return _server.fork(question) if _FORKS else _start("main", question)
