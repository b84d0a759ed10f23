"""The encryption manifest of a landing folder, `encryption.json`: whether and with which key.

The file holds fingerprints, from which no key can be recovered. A folder without it is not
encrypted. While a folder is being changed from one state to another, the file says so, and nothing
else may read or write the folder until that is finished.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from warmline.database import open_with_key
from warmline.encryption import HOW_TO_GIVE, Key, current_key
from warmline.errors import EncryptionError, first_line
from warmline.landing import store
from warmline.landing.store import LandingError

FILE = "encryption.json"
LISTINGS, DIGESTS = "listings", "digests"
FOLDERS = (
    *store.UNCOMPACTED,
    store.LOCKED,
    store.COMPACTED,
    "outcomes",
    "reviews",
    "evaluations",
    LISTINGS,
    DIGESTS,
)


@dataclass(frozen=True)
class EncryptionManifest:
    """The fingerprint of the key of a folder, None for an unencrypted one.

    `before` is what it was before; it counts as long as the change is not `finished`.
    """

    key: str | None = None
    before: str | None = None
    finished: bool = True


_ADAPTER = TypeAdapter(EncryptionManifest)


def read_manifest(landing_dir: Path) -> EncryptionManifest | None:
    """Return the folder's encryption manifest; None when it has none. Raises LandingError."""
    path = landing_dir / FILE
    try:
        return _ADAPTER.validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ValidationError) as e:
        raise LandingError(f"{path}: cannot be read ({first_line(e)})") from e


def write_manifest(landing_dir: Path, manifest: EncryptionManifest) -> None:
    """Write the state of the folder durably; an unencrypted folder has no manifest."""
    path = landing_dir / FILE
    if manifest == EncryptionManifest():
        path.unlink(missing_ok=True)
        return
    text = json.dumps(asdict(manifest), indent=1)
    store.write_whole(path, lambda file: _write(file, text))


def key_of(landing_dir: Path, *, writes: bool = False) -> Key | None:
    """Return the key with which this folder is read and written; None if it is not encrypted.

    An empty folder becomes an encrypted one when it is first written to with a key set. Raises
    EncryptionError when the key that is set, or its absence, does not match the folder.
    """
    key = current_key()
    manifest = read_manifest(landing_dir)
    if manifest is None and key is not None:
        if holds_something(landing_dir):
            manifest = (
                read_manifest(landing_dir) or EncryptionManifest()
            )  # another process may just have started the folder
        else:
            manifest = EncryptionManifest(key.fingerprint)
            if writes:
                write_manifest(landing_dir, manifest)
    require_fitting(landing_dir, manifest or EncryptionManifest(), key)
    return key


def require_fitting(landing_dir: Path, manifest: EncryptionManifest, key: Key | None) -> None:
    """Raise EncryptionError, saying what to do, unless this is the key of the folder."""
    if not manifest.finished:
        raise EncryptionError(
            f"{landing_dir}: its encryption was not finished; run the same `warmline encrypt` "
            "again, with the same keys"
        )
    if manifest.key is None and key is not None:
        raise EncryptionError(
            f"{landing_dir}: not encrypted, although there is a key ({key.origin}); "
            "`warmline encrypt` encrypts what is there"
        )
    if manifest.key is not None and key is None:
        raise EncryptionError(f"{landing_dir}: encrypted; {HOW_TO_GIVE}")
    if key is not None and key.fingerprint != manifest.key:
        raise EncryptionError(
            f"{landing_dir}: encrypted with another key than that of {key.origin}"
        )


def holds_something(landing_dir: Path) -> bool:
    """Return whether anything has landed in the folder."""
    for folder in FOLDERS:
        with suppress(StopIteration):
            next(store.walk(landing_dir / folder, folder, ""))
            return True
    return False


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


# Encrypts an unencrypted landing folder, decrypts one, or changes its key.


_TEXT, _TABLE = ".json", ".parquet"


@dataclass(frozen=True)
class Change:
    """A change of key; None is unencrypted."""

    before: Key | None
    after: Key | None

    @property
    def manifest(self) -> EncryptionManifest:
        """Return the manifest for while the change is under way."""
        return EncryptionManifest(
            _fingerprint(self.after), _fingerprint(self.before), finished=False
        )


def begin(landing_dir: Path, change: Change) -> None:
    """Mark the folder as being changed. Raises EncryptionError if it must not be."""
    manifest = read_manifest(landing_dir) or EncryptionManifest()
    if not manifest.finished and manifest != change.manifest:
        raise EncryptionError(
            f"{landing_dir}: an earlier change was not finished; run the same `warmline "
            "encrypt` as then, with the same keys"
        )
    if manifest.finished and manifest.key not in (change.manifest.key, change.manifest.before):
        raise EncryptionError(
            f"{landing_dir}: encrypted with another key; name its file with --old-key-file"
            if manifest.key
            else f"{landing_dir}: not encrypted; leave out the old key"
        )
    write_manifest(landing_dir, change.manifest)


def rewrite(landing_dir: Path, change: Change) -> int:
    """Rewrite every file that is not yet in the new state; return how many were rewritten.

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
    """Mark the change of the folder as finished."""
    write_manifest(landing_dir, EncryptionManifest(_fingerprint(change.after)))


def _files(landing_dir: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for file in store.walk(landing_dir / folder, folder, (_TEXT, _TABLE)):
            yield landing_dir / file.name


def _rewrite(path: Path, change: Change, con: duckdb.DuckDBPyConnection | None) -> bool:
    """Write a file anew unless it is as it should be; whether it was."""
    try:
        encrypted = store.is_encrypted(path)
        if not encrypted and change.after is None:
            return False
        if encrypted and _opens(path, change.after):
            return False
        if encrypted and change.before is None:
            raise OSError("encrypted with another key")
        table = _read(path, change.before if encrypted else None)
    except (OSError, UnicodeDecodeError, pa.ArrowException) as e:
        raise EncryptionError(
            f"{path}: cannot be read ({first_line(e)}); remove it, and run again"
        ) from None
    _write_encrypted(table, path, con)
    return True


def _opens(path: Path, key: Key | None) -> bool:
    """Return whether a key is that of an encrypted file; only its end is read."""
    if key is None:
        return False
    try:
        store.decrypt_table(path, key, "false")
    except OSError:
        return False
    return True


def _read(path: Path, key: Key | None) -> pa.Table:
    if key is not None:
        return store.decrypt_table(path, key)
    if path.suffix == _TEXT:
        return pa.table({"text": [path.read_text(encoding="utf-8")]})
    return pq.read_table(path, page_checksum_verification=True)


def _write_encrypted(table: pa.Table, path: Path, con: duckdb.DuckDBPyConnection | None) -> None:
    """Replace a file by a table. Unencrypted text is a file of its own kind."""
    if con is not None:
        target = path.with_suffix(_TABLE)
        store.write_whole(target, partial(_copy, con, table))
    elif table.column_names == ["text"]:
        target = path.with_suffix(_TEXT)
        store.write_whole(target, partial(_write_text, table.column("text")[0].as_py()))
    else:
        target = path
        options = {"compression": "zstd", "write_page_checksum": True}
        store.write_whole(target, lambda file: pq.write_table(table, file, **options))
    if target != path:
        path.unlink()


def _copy(con: duckdb.DuckDBPyConnection, table: pa.Table, path: Path) -> None:
    try:
        store.copy_encrypted(con, table, path)
    except duckdb.IOException as e:
        raise LandingError(f"{path}: cannot be written ({first_line(e)})") from e


def _write_text(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")


def _fingerprint(key: Key | None) -> str | None:
    return key.fingerprint if key else None


# What is remembered of remote places, so that a second night fetches nothing that is known.


MARKED = "listed"

_STRING = pa.string()
_SCHEMA = pa.schema(
    [
        ("url", _STRING),
        ("stamp", _STRING),
        (
            "beside",
            pa.list_(pa.struct([("name", _STRING), ("stamp", _STRING), ("content", pa.binary())])),
        ),
    ]
)


@dataclass(frozen=True)
class ListedRecording:
    """A recording as it was listed; `beside` has name, stamp and content of files beside it."""

    stamp: str
    beside: tuple[tuple[str, str, bytes], ...] = ()


#: A listing by URL.
Listed = Mapping[str, ListedRecording]


def read_listing(landing_dir: Path, source: str) -> Listed:
    """Return the remembered listing of a place; empty if it is damaged or was never made.

    Raises EncryptionError when the key that is set, or its absence, does not match the folder.
    """
    key_of(landing_dir)
    try:
        return _read_listing(_file(landing_dir, source))
    except (OSError, pa.ArrowException):
        return {}


def write_listing(landing_dir: Path, source: str, listed: Listed) -> None:
    """Remember the present listing of a place. Raises LandingError, EncryptionError."""
    key_of(landing_dir, writes=True)
    _write_listing(_file(landing_dir, source), listed)


def listed_marks(
    landing_dir: Path, erased: Collection[tuple[str, int, datetime]]
) -> tuple[str, ...]:
    """Return the marks of listed recordings, given by URL, size and time of change.

    A mark is a digest by which a recording is recognised without its bytes.
    """
    stamps = {url: f"{size}-{modified_at.timestamp()}-" for url, size, modified_at in erased}
    if not stamps:
        return ()
    return tuple(
        mark_of(url, known.stamp)
        for _, listed in _all_listings(landing_dir)
        for url, known in listed.items()
        if url in stamps and known.stamp.startswith(stamps[url])
    )


def forget_listed(landing_dir: Path, marks: Collection[str]) -> None:
    """Remove the recordings with these marks from all listings."""
    for path, listed in _all_listings(landing_dir):
        kept = {url: k for url, k in listed.items() if mark_of(url, k.stamp) not in marks}
        if len(kept) < len(listed):
            _write_listing(path, kept)


def _all_listings(landing_dir: Path) -> Iterator[tuple[Path, dict[str, ListedRecording]]]:
    """Yield every listing with its file. Raises LandingError naming one that cannot be read."""
    for file in list(store.walk(landing_dir / LISTINGS, LISTINGS)):
        path = landing_dir / file.name
        try:
            yield path, _read_listing(path)
        except (OSError, pa.ArrowException) as e:
            raise LandingError(
                f"{path}: what is remembered of a remote place cannot be read ({first_line(e)}); "
                "delete the file, the next run lists that place again"
            ) from e


def mark_of(url: str, stamp: str) -> str:
    """Return the mark by which a forgotten remote recording is known."""
    return f"{MARKED}/{hashlib.sha256(f'{url} {stamp}'.encode()).hexdigest()}"


def _file(landing_dir: Path, source: str) -> Path:
    digest = hashlib.sha256(source.encode()).hexdigest()
    return landing_dir / LISTINGS / digest[:2] / f"{digest}.parquet"


def _read_listing(path: Path) -> dict[str, ListedRecording]:
    rows = store.read_table(path).to_pylist()
    return {
        row["url"]: ListedRecording(
            row["stamp"],
            tuple((b["name"], b["stamp"], bytes(b["content"])) for b in row["beside"] or ()),
        )
        for row in rows
    }


def _write_listing(path: Path, listed: Listed) -> None:
    rows = [
        {
            "url": url,
            "stamp": known.stamp,
            "beside": [
                dict(zip(("name", "stamp", "content"), b, strict=True)) for b in known.beside
            ],
        }
        for url, known in listed.items()
    ]
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    store.write_whole(path, partial(store.write_table, table))
