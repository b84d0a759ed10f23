"""Encrypts a landing folder that is in clear, the other way round, or with another key.

Every file is replaced by a whole one in one step, and the folder says what it is being turned into
until all are: a power cut at any point leaves a folder that nothing else reads or writes, and that
the same call finishes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from warmline.database import open_with_key
from warmline.encryption import Key
from warmline.errors import EncryptionError
from warmline.landing import places, seals, tables
from warmline.landing.places import LandingError
from warmline.landing.seals import Seal

_TEXT, _TABLE = ".json", ".parquet"


@dataclass(frozen=True)
class Change:
    """From which key to which; None is in clear."""

    before: Key | None
    after: Key | None

    @property
    def seal(self) -> Seal:
        """What the folder says of itself while the change is under way."""
        return Seal(_fingerprint(self.after), _fingerprint(self.before), finished=False)


def begin(landing_dir: Path, change: Change) -> None:
    """Make the folder say that it is being changed. Raises EncryptionError if it is not to be."""
    seal = seals.read_seal(landing_dir) or Seal()
    if not seal.finished and seal != change.seal:
        raise EncryptionError(
            f"{landing_dir}: another change was begun and not finished; run `warmline encrypt` as "
            "it was run then, with the same keys"
        )
    if seal.finished and seal.key not in (change.seal.key, change.seal.before):
        raise EncryptionError(
            f"{landing_dir}: encrypted with another key; name its file with --old-key-file"
            if seal.key
            else f"{landing_dir}: in clear; leave the old key away"
        )
    seals.write_seal(landing_dir, change.seal)


def rewrite(landing_dir: Path, change: Change) -> int:
    """Write anew every file that is not yet as it should be; returns how many were.

    Raises EncryptionError naming a file that cannot be read: it can be neither kept nor changed.
    """
    rewritten = 0
    con = open_with_key(change.after) if change.after else None
    try:
        for path in list(_files(landing_dir)):
            rewritten += _rewrite(path, change, con)
    finally:
        if con:
            con.close()
    for leftover in landing_dir.glob("*/**/.*.tmp"):
        leftover.unlink(missing_ok=True)
    return rewritten


def finish(landing_dir: Path, change: Change) -> None:
    """Make the folder say that it is changed."""
    seals.write_seal(landing_dir, Seal(_fingerprint(change.after)))


def _files(landing_dir: Path) -> Iterator[Path]:
    for folder in seals.FOLDERS:
        for file in places.walk(landing_dir / folder, folder, (_TEXT, _TABLE)):
            yield landing_dir / file.name


def _rewrite(path: Path, change: Change, con: duckdb.DuckDBPyConnection | None) -> bool:
    """Write a file anew unless it is as it should be; whether it was."""
    try:
        encrypted = tables.is_encrypted(path)
        if not encrypted and change.after is None:
            return False
        if encrypted and _opens(path, change.after):
            return False
        if encrypted and change.before is None:
            raise OSError("encrypted with another key")
        table = _read(path, change.before if encrypted else None)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as e:
        raise EncryptionError(
            f"{path}: cannot be read ({str(e).splitlines()[0]}); take it away, and run again"
        ) from None
    _write(table, path, con)
    return True


def _opens(path: Path, key: Key | None) -> bool:
    """Whether a key is that of an encrypted file; no more than its end is read."""
    if key is None:
        return False
    try:
        tables.decrypt_table(path, key, "false")
    except OSError:
        return False
    return True


def _read(path: Path, key: Key | None) -> pa.Table:
    if key is not None:
        return tables.decrypt_table(path, key)
    if path.suffix == _TEXT:
        return pa.table({"text": [path.read_text(encoding="utf-8")]})
    return pq.read_table(path, page_checksum_verification=True)


def _write(table: pa.Table, path: Path, con: duckdb.DuckDBPyConnection | None) -> None:
    """Put a table in the place of a file. A text in clear is a file of its own kind."""
    if con is not None:
        target = path.with_suffix(_TABLE)
        places.write_whole(target, partial(_copy, con, table))
    elif table.column_names == ["text"]:
        target = path.with_suffix(_TEXT)
        places.write_whole(target, partial(_write_text, table.column("text")[0].as_py()))
    else:
        target = path
        options = {"compression": "zstd", "write_page_checksum": True}
        places.write_whole(target, lambda file: pq.write_table(table, file, **options))
    if target != path:
        path.unlink()


def _copy(con: duckdb.DuckDBPyConnection, table: pa.Table, path: Path) -> None:
    try:
        tables.copy_encrypted(con, table, path)
    except duckdb.IOException as e:
        raise LandingError(f"{path}: cannot be written ({str(e).splitlines()[0]})") from e


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")


def _fingerprint(key: Key | None) -> str | None:
    return key.fingerprint if key else None
