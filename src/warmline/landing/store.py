"""Where analyses lie: the one file that knows the landing folder's paths.

    analyses/<aa>/<sha256 of the audio>.parquet   one call each
    refused/<aa>/<sha256 of the path>.parquet     recordings without an analysis of their own bytes
    claimed/<kind>/<aa>/...                       of both kinds, being compacted
    packs/<aa>/<digest>.parquet                   many calls each, never changed once written
    outcomes/<aa>/...                             what became of customers; see `feedback`
    reviews/<aa>/...                              what people say of the analyses; see `feedback`
    evaluations/<aa>/...                          scorecards that were filled in; see `feedback`
    listings/<aa>/...                             what is known of remote places; see `manifest`
    forgotten/<aa>/...                            what was erased and stays so; see `erasures`
    digests/key.json                              the key of the digests in there
    erasing.json                                  an erasure that is not finished yet
    encryption.json                               whether all that is encrypted; see `manifest`
    landing.json                                  which landing folder it is; see `warmline.files`

Every file appears whole or not at all, by a rename within its folder, so that any number of workers
may write and any number of readers read a shared folder without a lock between them.
"""

import glob
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeGuard, TypeVar, Union, get_args, get_origin, get_type_hints

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from warmline import files
from warmline.analysis import CallAnalysis
from warmline.database import PARQUET_KEY, open_with_key, quoted
from warmline.encryption import HOW_TO_GIVE, Key, current_key
from warmline.errors import EncryptionError, Status, WarmlineError, first_line

# Convert a frozen dataclass to one row of Arrow columns, and back, from its annotations alone.


T = TypeVar("T")
_SCALARS = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    bytes: pa.binary(),
    datetime: pa.timestamp("us", tz="UTC"),
}


def schema(cls: type) -> pa.Schema:
    """Return the Arrow schema of a dataclass, one nullable column per field.

    Raises TypeError naming the field whose annotation has no Arrow type.
    """
    return pa.schema(_arrow_fields(cls))


def to_row(value: Any) -> dict[str, Any]:
    """Return a dataclass as plain Python that fits its `schema`.

    Text that UTF-8 cannot hold (a file name in unknown bytes) is kept readable, see `storable`.
    Raises ValueError for a time without a time zone.
    """
    return {f.name: _plain(getattr(value, f.name), f.name) for f in fields(value)}


def from_row(cls: type[T], row: dict[str, Any]) -> T:
    """Return a dataclass from a row of Arrow columns, even one written when it had fewer fields.

    A missing field gets its default, or else None, an empty tuple or an empty dict as the
    annotation allows. Raises ValueError naming a field that can have none of these, and pydantic's
    ValidationError for a value of the wrong type.
    """
    kind: type = cls
    value: T = _adapter(kind).validate_python(_complete(kind, row))
    return value


def storable(text: str) -> str:
    r"""Return the text as stored: lone surrogates, which UTF-8 cannot hold, become `\udcXX`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _arrow_fields(cls: type) -> list[pa.Field]:
    hints = _hints(cls)
    return [pa.field(f.name, _arrow_type(hints[f.name], cls, f.name)) for f in fields(cls)]


def _arrow_type(annotation: Any, cls: type, name: str) -> pa.DataType:
    kind, _ = _unwrap(annotation)
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return pa.list_(_arrow_type(args[0], cls, name))
    if origin is dict and args[0] is str:
        return pa.map_(pa.string(), _arrow_type(args[1], cls, name))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return pa.string()
    if _is_struct(kind):
        return pa.struct(_arrow_fields(kind))
    raise TypeError(f"{cls.__name__}.{name}: no Arrow type for {annotation!r}")


def _is_struct(kind: Any) -> TypeGuard[type]:
    return isinstance(kind, type) and is_dataclass(kind)


def _unwrap(annotation: Any) -> tuple[Any, bool]:
    """Return the type inside an optional, and whether it was optional."""
    if get_origin(annotation) in (Union, UnionType):
        inner = [a for a in get_args(annotation) if a is not NoneType]
        if len(inner) == 1:
            return inner[0], True
    return annotation, False


def _plain(value: Any, name: str) -> Any:
    if value is None or isinstance(value, bool | int | float | bytes):
        return value
    if isinstance(value, str):
        return storable(str(value))
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name}: {value} has no time zone; times that land are in UTC")
        return value.astimezone(UTC)
    if isinstance(value, tuple):
        return [_plain(item, name) for item in value]
    if isinstance(value, dict):
        return {storable(key): _plain(item, f"{name}.{key}") for key, item in value.items()}
    return to_row(value)


def _complete(cls: type, row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with every field of the dataclass, nested ones too."""
    hints = _hints(cls)
    return {f.name: _completed_field(cls, f, hints[f.name], row) for f in fields(cls)}


def _completed_field(cls: type, f: Field[Any], annotation: Any, row: dict[str, Any]) -> Any:
    kind, optional = _unwrap(annotation)
    value = row.get(f.name)
    if value is not None:
        return _complete_value(kind, value)
    if optional and f.name in row:
        return None
    if f.default is not MISSING:
        return f.default
    if f.default_factory is not MISSING:
        return f.default_factory()
    if optional:
        return None
    if get_origin(kind) in (tuple, dict):
        return get_origin(kind)()
    raise ValueError(f"{cls.__name__}.{f.name} is missing and has no default")


def _complete_value(kind: Any, value: Any) -> Any:
    if _is_struct(kind):
        return _complete(kind, value)
    origin, args = get_origin(kind), get_args(kind)
    if origin is tuple and _is_struct(args[0]):
        return [_complete(args[0], item) for item in value]
    if origin is dict and _is_struct(args[1]):
        return {key: _complete(args[1], item) for key, item in value.items()}
    return value


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


@cache
def _adapter(cls: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


ANALYSES, REFUSED, LOCKED, COMPACTED = "analyses", "refused", "claimed", "packs"
UNCOMPACTED = (ANALYSES, REFUSED)


class LandingError(WarmlineError):
    """A landing file cannot be read or written; the message names it."""


@dataclass(frozen=True)
class LandedFile:
    """A file of the landing folder, by its name inside it (with `/`).

    `stamp` changes whenever the file is rewritten, even within the clock's resolution.
    """

    name: str
    size_bytes: int
    stamp: str


def key_of(analysis: CallAnalysis) -> str:
    """Return the key of an analysis: its audio, or its path when the bytes are not its own.

    A recording whose bytes could not be read has no digest; a duplicate has that of the original.
    """
    digest = analysis.recording.audio_sha256
    if digest and analysis.status is not Status.DUPLICATE:
        return f"{ANALYSES}/{digest}"
    return refusal_key(analysis.recording.path)


def refusal_key(recording_path: str) -> str:
    """Return the key of a refusal of the recording at this path."""
    digest = hashlib.sha256(storable(recording_path).encode()).hexdigest()
    return f"{REFUSED}/{digest}"


def uncompacted_file(landing_dir: Path, key: str) -> Path:
    """Return the file of one analysis that has not been compacted."""
    kind, digest = key.split("/")
    return landing_dir / kind / digest[:2] / f"{digest}.parquet"


def locked_file(landing_dir: Path, key: str) -> Path:
    """Return the path to which that file is renamed while it is being compacted."""
    kind, digest = key.split("/")
    return landing_dir / LOCKED / kind / digest[:2] / f"{digest}.parquet"


def compacted_file(landing_dir: Path, digest: str) -> Path:
    """Return the file of a compacted set."""
    return landing_dir / COMPACTED / digest[:2] / f"{digest}.parquet"


def landed_files(landing_dir: Path) -> list[LandedFile]:
    """Return all landed files in order of name; none without the folder.

    Analyses move from uncompacted to locked to compacted files, and on to other compacted ones,
    while they are listed. Listing in that order, and the compacted ones until nothing changed,
    misses none.
    """
    while True:
        before = list(walk(landing_dir / COMPACTED, COMPACTED))
        uncompacted = [f for kind in (*UNCOMPACTED, LOCKED) for f in walk(landing_dir / kind, kind)]
        compacted = list(walk(landing_dir / COMPACTED, COMPACTED))
        if {f.name for f in before} == {f.name for f in compacted}:
            return sorted(uncompacted + compacted, key=lambda file: file.name)


def uncompacted_files(landing_dir: Path) -> list[LandedFile]:
    """Return the files of one analysis each that nobody has locked."""
    return [file for kind in UNCOMPACTED for file in walk(landing_dir / kind, kind)]


def walk(
    folder: Path, name: str, ending: str | tuple[str, ...] = ".parquet"
) -> Iterator[LandedFile]:
    """Yield the landed files under a folder, which is called `name` inside the landing folder.

    Raises LandingError naming a folder that cannot be read.
    """
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    except OSError as e:
        raise LandingError(f"{folder}: cannot be looked into ({e.strerror or e})") from e
    with entries:
        for entry in entries:
            inside = f"{name}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from walk(folder / entry.name, inside, ending)
            elif entry.name.endswith(ending):
                try:
                    stat = entry.stat()
                except FileNotFoundError:
                    continue  # compacted or replaced since it was listed
                yield LandedFile(inside, stat.st_size, stamp_of(stat))


def stamp_of(status: os.stat_result) -> str:
    """Return the `stamp` of a `LandedFile`."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ino}"


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Write as `files.write_whole`; raises LandingError."""
    return files.write_whole(path, write, LandingError, "the analysis")


def leftovers(landing_dir: Path, *, older_than: float) -> list[Path]:
    """Return temporary files of killed writers: not touched since a time (epoch seconds).

    They may lie in any part of the folder, and hold what that part holds.
    """
    found = []
    for pattern in (".*.tmp", "*/.*.tmp", "*/*/.*.tmp"):
        for path in landing_dir.glob(pattern):
            try:
                if path.stat().st_mtime < older_than:
                    found.append(path)
            except FileNotFoundError:
                continue  # its writer has finished
    return found


# Tables as Parquet files of the landing folder, encrypted or not.


_CLEAR, _ENCRYPTED = b"PAR1", b"PARE"
#: How DuckDB writes an encrypted file.
# Write into the private file that exists, not into one that DuckDB creates for all to read.
COPY_OPTIONS = (
    f"FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false, ENCRYPTION_CONFIG {PARQUET_KEY}"
)


def is_encrypted(path: Path) -> bool:
    """Return whether this is an encrypted file. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(_ENCRYPTED)) == _ENCRYPTED


def write_table(table: pa.Table, path: Path, **clear: Any) -> None:
    """Write a table, encrypted when there is a key, else as pyarrow does with the options `clear`.

    Raises OSError when it cannot be written, WarehouseError when the encrypting extension is
    missing.
    """
    key = current_key()
    if key is None:
        pq.write_table(table, path, **clear)
    else:
        encrypt_table(table, path, key)


def encrypt_table(table: pa.Table, path: Path, key: Key) -> None:
    """Write a table encrypted with this key. Raises as `write_table` does."""
    with open_with_key(key) as con:
        con.execute("SET TimeZone = 'UTC'")
        try:
            copy_encrypted(con, table, path)
        except duckdb.IOException as e:
            raise OSError(first_line(e)) from e


def copy_encrypted(con: duckdb.DuckDBPyConnection, table: pa.Table, path: Path) -> None:
    """Write a table encrypted with the key that a connection was opened with."""
    con.register("given", table)
    con.execute(f"COPY given TO {quoted(path)} ({COPY_OPTIONS})")
    con.unregister("given")


def read_table(path: Path) -> pa.Table:
    """Return the rows of a file, having checked that none of its bytes is damaged.

    Raises as `required_key` does, and OSError or pyarrow's errors for what cannot be read.
    """
    key = required_key(path)
    if key is None:
        return pq.read_table(path, page_checksum_verification=True)
    return decrypt_table(path, key)


def decrypt_table(
    path: Path, key: Key, where: str = "true", columns: str = "*", **given: object
) -> pa.Table:
    """Return the rows of an encrypted file that meet an SQL condition, or these columns of them.

    Raises OSError for a file that is damaged, or encrypted with another key.
    """
    source = f"read_parquet($path, encryption_config = {PARQUET_KEY})"
    rows = f"SELECT {columns} FROM {source} WHERE {where}"
    with open_with_key(key, writes=False) as con:
        con.execute("SET TimeZone = 'UTC'")
        try:
            return con.execute(rows, {"path": glob.escape(str(path)), **given}).to_arrow_table()
        except duckdb.Error as e:
            cause = first_line(e)
            if "AES" in cause:
                raise OSError(f"damaged, or encrypted with another key than {key.origin}") from None
            raise OSError(cause) from e


def write_text(text: str, path: Path) -> None:
    """Write a text as it is; encrypted, as the one value of a table. Raises as `write_table`."""
    key = current_key()
    if key is None:
        path.write_text(text, encoding="utf-8")
    else:
        encrypt_table(pa.table({"text": [text]}), path, key)


def read_text(path: Path) -> str:
    """Return a text that `write_text` wrote. Raises as `read_table`, or UnicodeDecodeError."""
    key = required_key(path)
    if key is None:
        return path.read_text(encoding="utf-8")
    text: str = decrypt_table(path, key).column("text")[0].as_py()
    return text


def required_key(path: Path) -> Key | None:
    """Return the key that a file needs; None for an unencrypted one.

    Raises EncryptionError when it is encrypted and no key is set, or it is unencrypted and one is;
    OSError, FileNotFoundError among them, when it cannot be read.
    """
    with path.open("rb") as file:
        magic = file.read(len(_CLEAR))
    key = current_key()
    if magic == _ENCRYPTED and key is None:
        raise EncryptionError(f"{path}: encrypted; {HOW_TO_GIVE}")
    if (magic == _CLEAR or path.suffix == ".json") and key is not None:
        raise EncryptionError(
            f"{path}: not encrypted, although there is a key ({key.origin}); "
            "`warmline encrypt` encrypts what is there"
        )
    return key
