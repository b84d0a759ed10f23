"""The access log: one line of JSON for each access to the words of calls.

It lies beside the warehouse, private as the warehouse is (`calls.duckdb` has `calls.access.jsonl`),
and says when, which user of the system, by which command, and which calls or query. It holds
nothing that was said, and no text of SQL, which may quote it: of a SELECT there is the digest. A
call's id is removed from it with the call; that somebody accessed one remains.
"""

import fcntl
import hashlib
import json
import os
import pwd
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from warmline.errors import WarehouseError
from warmline.files import open_private, write_text_whole

_UNREADABLE = {"unreadable": True}


def access_log(warehouse: Path) -> Path:
    """Return where the log of a warehouse lies, whether it is there or not."""
    return warehouse.resolve().with_suffix(".access.jsonl")


def note_access(
    warehouse: Path,
    command: str,
    *,
    calls: Collection[str] = (),
    query: str | None = None,
    sql: str | None = None,
    rows: int | None = None,
) -> None:
    """Add one access to the log.

    `query` is the name of a query or a table; of `sql` the digest is stored. `rows` is how many
    came back; None where none did, as of a query that failed: its error may quote a call. Raises
    WarehouseError when the log cannot be written.
    """
    line: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "user": _user(),
        "uid": os.getuid(),
        "command": command,
        "calls": sorted(calls) or None,
        "query": query,
        "sql_sha256": _digest(sql) if sql is not None else None,
        "rows": rows,
    }
    text = json.dumps({name: value for name, value in line.items() if value is not None})
    path = access_log(warehouse)
    try:
        with _held(path) as file:
            _append(file, f"{text}\n".encode())
    except OSError as e:
        raise WarehouseError(f"{path}: cannot note who looked ({e.strerror or e})") from e


def _digest(sql: str) -> str:
    return hashlib.sha256(sql.encode("utf-8", "backslashreplace")).hexdigest()


def _append(file: IO[bytes], line: bytes) -> None:
    """Add a line, whole or not at all, after one that a power cut has cut short. Raises OSError."""
    end = file.seek(0, os.SEEK_END)
    if end:
        file.seek(end - 1)
        line = line if file.read(1) == b"\n" else b"\n" + line
    try:
        while line:
            line = line[file.write(line) :]
        os.fsync(file.fileno())
    except OSError:  # a full disk takes the beginning of it
        file.truncate(end)
        raise


def accesses(warehouse: Path) -> tuple[dict[str, Any], ...]:
    """Return the accesses that were noted, oldest first; none without a log.

    Of a line that cannot be read, as a power cut leaves one, only that is known.
    """
    try:
        lines = access_log(warehouse).read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    return tuple(map(_read, lines))


def _read(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else dict(_UNREADABLE)


def forget_calls_but(warehouse: Path, kept: Collection[str]) -> None:
    """Remove from the log the ids of all calls that are not among those kept.

    Their number stays, as nulls. Raises WarehouseError when the log cannot be written.
    """
    path = access_log(warehouse)
    if not path.exists():
        return
    with _held(path):
        after = [
            line | {"calls": [call if call in kept else None for call in line["calls"]]}
            if "calls" in line
            else line
            for line in accesses(warehouse)
        ]
        text = "".join(f"{json.dumps(line)}\n" for line in after)
        if text.encode() != path.read_bytes():
            write_text_whole(path, text, WarehouseError, "the log of accesses")


@contextmanager
def _held(path: Path) -> Iterator[IO[bytes]]:
    """Open the log for adding to it and lock it for the block. Raises OSError."""
    while True:
        with open(path, "a+b", buffering=0, opener=open_private) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                is_there = os.path.samestat(os.fstat(file.fileno()), path.stat())
            except FileNotFoundError:
                is_there = False
            if is_there:  # and was not replaced while this process waited
                yield file
                return


def _user() -> str:
    """Return the user's name according to the system, not the environment."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
