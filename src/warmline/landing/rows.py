"""Analyses as rows of Parquet files: one written or read at a time, or many read at once by DuckDB.

Files of different ages are read together: a file without rows that has today's columns is read
first, so that columns an older file lacks are NULL.
"""

import glob
import hashlib
import heapq
import json
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from warmline.analysis import CallAnalysis
from warmline.database import PARQUET_KEY, open_without_warehouse, quoted
from warmline.encryption import Key
from warmline.errors import Status, WarmlineError, first_line
from warmline.files import temporary_folder
from warmline.landing import erasures, manifest, store
from warmline.landing.store import LandedFile, LandingError, stamp_of, storable
from warmline.values import CallMetadata, Recording

KEY, CONTENT, METADATA = "landing_key", "content_sha256", "metadata_fingerprint"

#: A single row gains nothing from statistics and dictionaries; without them the file is smaller.
_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": False,
    "write_statistics": False,
    "write_page_checksum": True,
}


#: How many compacted files are looked through for an analysis that is not where it was.
_LATEST_PACKS = 20
_PEAKS_ALONE = f"COLUMNS(lambda name: name IN ('{KEY}', 'peaks'))"


@cache
def landing_schema() -> pa.Schema:
    """Return the columns of a landing file: those of `CallAnalysis`, and three that identify the
    row.
    """
    own = [pa.field(name, pa.string()) for name in (KEY, CONTENT, METADATA)]
    return pa.schema(own + list(store.schema(CallAnalysis)))


def metadata_fingerprint(metadata: CallMetadata) -> str:
    """Return a digest of the metadata of a call, to notice when more is known."""
    return _digest(store.to_row(metadata))


def write(analysis: CallAnalysis, landing_dir: Path) -> Path:
    """Write an analysis; it replaces one of the same audio, and removes a refusal of the same path.

    Returns the file written. Calls that were erased, or whose customer opted out, are not stored:
    the file then does not exist. Raises LandingError when it cannot be written, EncryptionError
    when the key that is set, or its absence, does not match the folder.
    """
    manifest.key_of(landing_dir, writes=True)
    if not erasures.may_land(landing_dir, analysis):
        return store.uncompacted_file(landing_dir, store.key_of(analysis))
    row = store.to_row(analysis)
    row |= {
        KEY: store.key_of(analysis),
        CONTENT: _digest(row),
        METADATA: metadata_fingerprint(analysis.metadata),
    }
    table = pa.Table.from_pylist([row], schema=landing_schema())
    path = store.write_whole(
        store.uncompacted_file(landing_dir, row[KEY]),
        lambda file: store.write_table(table, file, **_PARQUET),
    )
    if not erasures.may_land(landing_dir, analysis):  # erased while it was being written
        path.unlink(missing_ok=True)
        return path
    refusal = store.refusal_key(analysis.recording.path)
    if refusal != row[KEY]:
        store.uncompacted_file(landing_dir, refusal).unlink(missing_ok=True)
    return path


def read(path: Path, key: str | None = None) -> CallAnalysis:
    """Return the analysis in a landing file; in a compacted one, the one with this key.

    Files written by an earlier warmline are completed with defaults. Raises FileNotFoundError when
    the file is gone (compacted or removed), EncryptionError when it needs a key or must not be
    unencrypted, LandingError naming it for anything else.
    """
    try:
        secret = store.required_key(path)
        if secret is not None:
            row = _decrypted_row(path, secret, key)
        else:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                row = _row(file, key)
        return store.from_row(CallAnalysis, row)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, ValidationError, ValueError, KeyError) as e:
        cause = first_line(e)
        raise LandingError(f"{path}: not a readable analysis ({cause})") from e


def peaks_of(landing_dir: Path, key: str, seen_in: Sequence[str]) -> tuple[bytes, ...]:
    """Return the peaks of the analysis with this key, reading nothing else of it.

    It is looked for in the files in which it was last seen, and then where compacting has put it
    since. There are none when it was made before they were kept, is not there, or unreadable.
    """
    alone = store.uncompacted_file(landing_dir, key)
    for path in (*(landing_dir / name for name in seen_in), alone):
        with suppress(FileNotFoundError, LandingError):
            return _read_peaks(path, key)
    packs = (landing_dir / store.COMPACTED).glob("*/*.parquet")
    for path in heapq.nlargest(_LATEST_PACKS, packs, key=_written_ns):
        with suppress(FileNotFoundError, LandingError):
            return _read_peaks(path, key)
    return ()


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # compacted again
        return 0


def _read_peaks(path: Path, key: str) -> tuple[bytes, ...]:
    """The peaks in a file. Raises as `read`."""
    try:
        secret = store.required_key(path)
        if secret is not None:
            found = store.decrypt_table(path, secret, f"{KEY} = $wanted", _PEAKS_ALONE, wanted=key)
            row = found.to_pylist()[0]
        else:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                row = _row(file, key, {"peaks"})
        return tuple(row.get("peaks") or ())
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, ValueError, LookupError) as e:
        raise LandingError(f"{path}: not a readable analysis ({type(e).__name__})") from e


def _row(file: pq.ParquetFile, key: str | None, wanted: Set[str] = frozenset()) -> dict[str, Any]:
    """Return the one row, or the row of a key, reading only the row group that holds it.

    Of its columns those wanted are read, or all.
    """
    names = set(file.schema_arrow.names) & (wanted or set(landing_schema().names))
    for group in range(file.num_row_groups):
        keys = file.read_row_group(group, columns=[KEY]).column(KEY).to_pylist()
        at = [i for i, found in enumerate(keys) if key in (None, found)]
        if key is None and len(keys) * file.num_row_groups != 1:
            raise ValueError(f"holds {file.metadata.num_rows} analyses; say which key")
        if at:
            rows = file.read_row_group(group, columns=sorted(names)).slice(at[0], 1)
            row: dict[str, Any] = rows.to_pylist(maps_as_pydicts="strict")[0]
            return row
    raise ValueError(f"holds no analysis {key or ''}".rstrip())


def _decrypted_row(path: Path, secret: Key, key: str | None) -> dict[str, Any]:
    where = f"{KEY} = coalesce($wanted, {KEY})"
    found = store.decrypt_table(path, secret, where, wanted=key)
    if len(found) > 1:
        raise ValueError(f"holds {len(found)} analyses; say which key")
    if not len(found):
        raise ValueError(f"holds no analysis {key or ''}".rstrip())
    names = [name for name in landing_schema().names if name in found.column_names]
    row: dict[str, Any] = found.select(names).to_pylist(maps_as_pydicts="strict")[0]
    return row


def _digest(row: dict[str, Any]) -> str:
    text = json.dumps(row, default=_as_text, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _as_text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value.isoformat())


# Many landing files read at once, into a table of what has landed.

_FILES_AT_ONCE = 1000
#: How the statements that read landing files merge the columns of several.
_MERGING = "union_by_name = true"

#: One row for each analysis in each file; the same analysis may be in two files for a while.
LANDED = """
CREATE OR REPLACE TEMP TABLE landed (
    landing_key VARCHAR, content_sha256 VARCHAR, metadata_fingerprint VARCHAR,
    analyzed_at TIMESTAMPTZ, status VARCHAR, reason_code VARCHAR, path VARCHAR,
    size_bytes BIGINT, modified_at TIMESTAMPTZ, audio_sha256 VARCHAR, call_id VARCHAR,
    stage_keys STRUCT(stage VARCHAR, key VARCHAR, seconds DOUBLE)[], failed_runs BIGINT,
    file VARCHAR, tabled_metadata JSON)
"""

_SCAN = """
INSERT INTO landed
SELECT landing_key, content_sha256, metadata_fingerprint, analyzed_at, status, reason_code,
    recording.path, recording.size_bytes, recording.modified_at, recording.audio_sha256,
    metadata.call_id, stage_keys, coalesce(failed_runs, (status = 'failed')::BIGINT),
    filename[$prefix:],
    CASE WHEN list_contains(string_split(metadata.source, '+'), 'csv') THEN to_json(metadata) END
FROM read_parquet($files, union_by_name = true, filename = true)
"""

#: Reads every value, and returns one number.
_EVERYTHING = "SELECT bit_xor(hash(t)) FROM read_parquet($files, union_by_name = true) AS t"


class UnreadableError(WarmlineError):
    """Some landing files cannot be read. `problems` maps a file's name to the reason."""

    def __init__(self, problems: dict[str, str]) -> None:
        name, why = next(iter(problems.items()))
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(f"landing file {name}: {why}{more}")
        self.problems = problems


class VanishedError(WarmlineError):
    """Landing files were compacted or removed while they were being read; list them again."""


@dataclass(frozen=True)
class Reader:
    """Reads landing files through a DuckDB connection. `template` has all columns and no row.

    `merging` tells `read_parquet` how to read files of different ages together.
    """

    con: duckdb.DuckDBPyConnection
    landing_dir: Path
    template: str
    merging: str = _MERGING

    @property
    def is_encrypted(self) -> bool:
        """Return whether the files are encrypted, and new ones have to be."""
        return self.merging != _MERGING

    @property
    def prefix(self) -> int:
        """Return where, in a file's path, its name inside the landing folder begins, from 1."""
        return len(str(self.landing_dir / "x"))

    def scan(self, files: Sequence[LandedFile]) -> None:
        """Add the rows of some files to the temporary table `landed`.

        Raises UnreadableError or VanishedError naming files.
        """
        for start in range(0, len(files), _FILES_AT_ONCE):
            names = [file.name for file in files[start : start + _FILES_AT_ONCE]]
            with self.blaming(names):
                self.read(names, _SCAN, prefix=self.prefix)
        foreign = self.con.execute("SELECT file FROM landed WHERE landing_key IS NULL").fetchall()
        if foreign:
            raise UnreadableError({name: "not written by warmline" for (name,) in foreign})

    def read(
        self, names: Sequence[str], sql: str, **parameters: object
    ) -> duckdb.DuckDBPyConnection:
        """Run a statement that reads `$files`; use within `blaming`."""
        return self._run(self.con, names, sql, **parameters)

    def _run(
        self, con: duckdb.DuckDBPyConnection, names: Sequence[str], sql: str, **parameters: object
    ) -> duckdb.DuckDBPyConnection:
        paths = [self.template] + [glob.escape(str(self.landing_dir / n)) for n in names]
        merged = sql.replace(_MERGING, self.merging)
        return con.execute(merged, {"files": paths, **parameters})

    @contextmanager
    def blaming(self, names: Sequence[str]) -> Iterator[None]:
        """Raise UnreadableError or VanishedError naming the files when reading them fails.

        DuckDB opens a file more than once: one that is replaced meanwhile, as when a call is
        retried, has the head of one and the tail of the other. That is a bare `duckdb.Error`.
        """
        try:
            yield
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            raise  # no file is to blame
        except (duckdb.Error, pa.ArrowException, OSError) as e:
            if problems := self._problems(names) or self._refused(names):
                raise UnreadableError(problems) from None
            if type(e) is duckdb.Error:
                raise VanishedError(f"a landing file was replaced while being read ({e})") from e
            raise

    def _problems(self, names: Sequence[str]) -> dict[str, str]:
        found = {}
        for name in names:
            try:
                if why := problem(self.landing_dir / name):
                    found[name] = why
            except FileNotFoundError as e:
                raise VanishedError(f"landing file {name}: disappeared while being read") from e
        return found

    def _refused(self, names: Sequence[str]) -> dict[str, str]:
        """Return files that only DuckDB finds damaged: no checksum covers the heads of pages.

        One that is replaced while it is tried may be sound, and is left out.
        """
        found = {}
        for name in names:
            path = self.landing_dir / name
            try:
                before = stamp_of(path.stat())
                if (why := self._refusal(name)) and before == stamp_of(path.stat()):
                    found[name] = why
            except FileNotFoundError as e:
                raise VanishedError(f"landing file {name}: disappeared while being read") from e
        return found

    def _refusal(self, name: str) -> str | None:
        with self.con.cursor() as con:  # this connection's transaction may have failed
            try:
                self._run(con, [name], _EVERYTHING)
            except duckdb.Error as e:
                return first_line(e)
        return None


def live_of(table: str) -> str:
    """Return a query for the current rows: the newest of each key, then the newest of each path."""
    return f"""
SELECT * FROM (
    SELECT * FROM {table}
    QUALIFY row_number() OVER (
        PARTITION BY landing_key ORDER BY analyzed_at DESC, content_sha256, file) = 1)
QUALIFY row_number() OVER (PARTITION BY path ORDER BY analyzed_at DESC, landing_key) = 1
"""


@contextmanager
def open_reader(con: duckdb.DuckDBPyConnection, landing_dir: Path) -> Iterator[Reader]:
    """Open a reader of this landing folder, with an empty table `landed` in the connection.

    Raises EncryptionError when the key that is set, or its absence, does not match the folder,
    LandingError when there is no space for a temporary file.
    """
    key = manifest.key_of(landing_dir)
    with temporary_folder() as folder:
        template = folder / "columns.parquet"
        merging = _MERGING
        if key is None:
            _write_columns(template)
        else:
            store.copy_encrypted(con, landing_schema().empty_table(), template)
            merging = _merging_encrypted(con, template)
        con.execute("SET TimeZone = 'UTC'")
        con.execute(LANDED)
        yield Reader(con, landing_dir, glob.escape(str(template)), merging)


@cache
def _columns() -> bytes:
    """Return a landing file without rows."""
    written = pa.BufferOutputStream()
    pq.write_table(landing_schema().empty_table(), written)
    return bytes(written.getvalue())


def _write_columns(template: Path) -> None:
    try:
        template.write_bytes(_columns())
    except OSError as e:
        raise LandingError(
            f"{template.parent}: no room for a temporary file ({e.strerror or e}); TMPDIR can name "
            "another place"
        ) from e


def _merging_encrypted(con: duckdb.DuckDBPyConnection, template: Path) -> str:
    """Return the same for encrypted files, whose columns DuckDB 1.5 cannot merge by itself
    (#21508).
    """
    columns = con.execute(
        f"DESCRIBE FROM read_parquet({quoted(template)}, encryption_config = {PARQUET_KEY})"
    ).fetchall()
    named = ", ".join(
        f"'{name}': {{name: '{name}', type: '{kind}', default_value: NULL}}"
        for name, kind, *_ in columns
    )
    return f"encryption_config = {PARQUET_KEY}, schema = MAP {{{named}}}"


def problem(path: Path) -> str | None:
    """Return why a landing file cannot be read, having read all of it; None when it can.

    Raises FileNotFoundError when it is gone, EncryptionError when it needs a key or must not be
    unencrypted.
    """
    try:
        if key := store.required_key(path):
            columns = store.decrypt_table(path, key).column_names
            return None if KEY in columns else "not written by warmline"
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if KEY not in file.schema_arrow.names:
                return "not written by warmline"
            for group in range(file.num_row_groups):
                file.read_row_group(group)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, ValueError) as e:
        return first_line(e)
    return None


# The analyses known already, so that a nightly run analyzes only new calls.

# A file that is rewritten without a pause spoils a reading in four; two in five on a busy machine.
_ATTEMPTS = 30


@dataclass(frozen=True)
class Landed:
    """The identity of one landed analysis, without its content.

    `stage_keys` maps a stage to the cache key of its result, `failed_runs` counts the consecutive
    runs in which the call failed. `tabled_metadata` is what was known of the call, as JSON, where
    a metadata table had a row of it.
    """

    landing_key: str
    file: str
    path: str
    size_bytes: int
    modified_at: datetime
    audio_sha256: str
    call_id: str
    status: Status
    reason_code: str | None
    analyzed_at: datetime
    metadata_fingerprint: str
    stage_keys: dict[str, str] = field(hash=False)
    failed_runs: int = 0
    tabled_metadata: str | None = None

    @property
    def metadata(self) -> CallMetadata | None:
        """Return what was known of the call, where a metadata table had a row of it."""
        if self.tabled_metadata is None:
            return None
        row = json.loads(self.tabled_metadata)
        if row.get("started_at"):
            row["started_at"] = datetime.fromisoformat(row["started_at"])
        return store.from_row(CallMetadata, row)


class Known:
    """The current landed analyses, found by path or by audio; see `known`.

    `unreadable` maps the name of a damaged landing file to what is wrong with it: its calls are
    unknown, and so will be analyzed again.
    """

    def __init__(self, table: pa.Table, unreadable: dict[str, str]) -> None:
        self.unreadable = unreadable
        self._table = table
        self._by_path = _positions(table, "path")
        self._by_key = _positions(table, "landing_key")

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[Landed]:
        return (self._landed(i) for i in range(len(self)))

    def keys(self) -> Set[str]:
        """Return the landing keys of all of them."""
        return self._by_key.keys()

    def by_path(self, recording_path: str) -> Landed | None:
        """Return the last analysis of the recording at this path, whatever its status."""
        return self._at(self._by_path.get(storable(recording_path)))

    def by_audio(self, audio_sha256: str) -> Landed | None:
        """Return the analysis of these bytes, wherever they were."""
        return self._at(self._by_key.get(f"{store.ANALYSES}/{audio_sha256}"))

    def _at(self, index: int | None) -> Landed | None:
        return None if index is None else self._landed(index)

    def _landed(self, index: int) -> Landed:
        row: dict[str, Any] = self._table.slice(index, 1).to_pylist()[0]
        stages = {stage["stage"]: stage["key"] for stage in row["stage_keys"] or ()}
        return Landed(**row | {"status": Status(row["status"]), "stage_keys": stages})


def _positions(table: pa.Table, column: str) -> dict[str, int]:
    return {value: i for i, value in enumerate(table.column(column).to_pylist())}


def known(landing_dir: Path) -> Known:
    """Return all current analyses: the newest of each audio and of each path.

    A missing folder is an empty one. Raises LandingError when the folder changes too fast to read.
    """
    unreadable: dict[str, str] = {}
    for _ in range(_ATTEMPTS):
        files = [f for f in store.landed_files(landing_dir) if f.name not in unreadable]
        try:
            return Known(_scanned(landing_dir, files), unreadable)
        except UnreadableError as e:
            unreadable |= e.problems
        except VanishedError:
            continue
    raise _restless(landing_dir)


def asked(landing_dir: Path, *questions: str, **given: object) -> list[list[tuple[Any, ...]]]:
    """Return the rows that answer each of these questions, in SQL that reads `$files`.

    They are asked of all landing files at once, as opening those takes longer than a question.
    Raises UnreadableError, and LandingError as `known`.
    """
    for _ in range(_ATTEMPTS):
        names = [file.name for file in store.landed_files(landing_dir)]
        with (
            suppress(VanishedError),
            open_without_warehouse() as con,
            open_reader(con, landing_dir) as reader,
            reader.blaming(names),
        ):
            return [reader.read(names, sql, **given).fetchall() for sql in questions]
    raise _restless(landing_dir)


def _restless(landing_dir: Path) -> LandingError:
    return LandingError(f"{landing_dir}: files keep changing while they are read; try again")


def _scanned(landing_dir: Path, files: list[LandedFile]) -> pa.Table:
    with open_without_warehouse() as con, open_reader(con, landing_dir) as reader:
        reader.scan(files)
        return con.execute(
            "SELECT landing_key, file, path, size_bytes, modified_at, audio_sha256, call_id, "
            "status, reason_code, analyzed_at, metadata_fingerprint, stage_keys, failed_runs, "
            "tabled_metadata "
            f"FROM ({live_of('landed')})"
        ).to_arrow_table()


def read_uncompacted(landing_dir: Path, recording: Recording) -> CallAnalysis | None:
    """Return the uncompacted analysis of a recording; None when none is readable."""
    keys = [store.refusal_key(recording.path)]
    if recording.audio_sha256:
        keys.insert(0, f"{store.ANALYSES}/{recording.audio_sha256}")
    for key in keys:
        with suppress(FileNotFoundError, LandingError):
            return read(store.uncompacted_file(landing_dir, key), key)
    return None


def read_landed(landing_dir: Path, landed: Landed) -> CallAnalysis:
    """Return the whole of a known analysis; looked up again if it was compacted meanwhile.

    Raises LandingError when it was removed or is damaged.
    """
    key = landed.landing_key
    places_by_now = (
        landing_dir / landed.file,
        store.uncompacted_file(landing_dir, key),
        store.locked_file(landing_dir, key),
    )
    for path in places_by_now:
        with suppress(FileNotFoundError):
            return read(path, key)
    for other in known(landing_dir):
        if other.landing_key == key:
            return read(landing_dir / other.file, key)
    raise LandingError(f"{landing_dir}: the analysis {key} was removed")
