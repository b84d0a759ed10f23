"""Reads many landing files at once, by DuckDB, into a table of what has landed.

Files of different ages are read together: a file without rows that has today's columns is read
first, so that columns an older file lacks are NULL.
"""

import glob
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from warmline.database import PARQUET_KEY, quoted
from warmline.errors import WarmlineError
from warmline.landing import seals, tables
from warmline.landing.places import LandedFile, LandingError, stamp_of
from warmline.landing.rows import KEY, landing_schema

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
    file VARCHAR)
"""

_SCAN = """
INSERT INTO landed
SELECT landing_key, content_sha256, metadata_fingerprint, analyzed_at, status, reason_code,
    recording.path, recording.size_bytes, recording.modified_at, recording.audio_sha256,
    metadata.call_id, stage_keys, coalesce(failed_runs, (status = 'failed')::BIGINT),
    filename[$prefix:]
FROM read_parquet($files, union_by_name = true, filename = true)
"""

#: Reads every value, and gives one number.
_EVERYTHING = "SELECT bit_xor(hash(t)) FROM read_parquet($files, union_by_name = true) AS t"


class UnreadableError(WarmlineError):
    """Some landing files cannot be read. `problems` maps a file's name to why."""

    def __init__(self, problems: dict[str, str]) -> None:
        name, why = next(iter(problems.items()))
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(f"landing file {name}: {why}{more}")
        self.problems = problems


class VanishedError(WarmlineError):
    """Landing files were packed or removed while they were being read; list them again."""


@dataclass(frozen=True)
class Reader:
    """Reads landing files through a DuckDB connection. `template` has all columns and no row.

    `merging` is how `read_parquet` is told to read files of different ages together.
    """

    con: duckdb.DuckDBPyConnection
    landing_dir: Path
    template: str
    merging: str = _MERGING

    @property
    def is_encrypted(self) -> bool:
        """Whether the files are, and what is written has to be."""
        return self.merging != _MERGING

    @property
    def prefix(self) -> int:
        """Where a file's name inside the landing folder begins in its path, from 1."""
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
        """When reading these files fails, raise UnreadableError or VanishedError naming which.

        DuckDB opens a file more than once: one that is replaced meanwhile, as when a call is tried
        again, has the head of one and the tail of the other. That is a bare `duckdb.Error`.
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
                raise VanishedError(f"landing file {name}: gone while being read") from e
        return found

    def _refused(self, names: Sequence[str]) -> dict[str, str]:
        """Files that only DuckDB finds damaged: no checksum covers the heads of pages.

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
                raise VanishedError(f"landing file {name}: gone while being read") from e
        return found

    def _refusal(self, name: str) -> str | None:
        with self.con.cursor() as con:  # this connection's transaction may have failed
            try:
                self._run(con, [name], _EVERYTHING)
            except duckdb.Error as e:
                return str(e).splitlines()[0]
        return None


def live_of(table: str) -> str:
    """A query for the rows that count: the newest of each key, then the newest of each path."""
    return f"""
SELECT * FROM (
    SELECT * FROM {table}
    QUALIFY row_number() OVER (
        PARTITION BY landing_key ORDER BY analyzed_at DESC, content_sha256, file) = 1)
QUALIFY row_number() OVER (PARTITION BY path ORDER BY analyzed_at DESC, landing_key) = 1
"""


@contextmanager
def reader(con: duckdb.DuckDBPyConnection, landing_dir: Path) -> Iterator[Reader]:
    """A reader of this landing folder, with an empty table `landed` in the connection.

    Raises EncryptionError when the key that is given, or none, is not that of the folder,
    LandingError when there is no room for a temporary file.
    """
    key = seals.key_of(landing_dir)
    with tempfile.TemporaryDirectory(prefix="warmline-") as folder:
        template = Path(folder) / "columns.parquet"
        merging = _MERGING
        if key is None:
            _write_columns(template)
        else:
            tables.copy_encrypted(con, landing_schema().empty_table(), template)
            merging = _merging_encrypted(con, template)
        con.execute("SET TimeZone = 'UTC'")
        con.execute(LANDED)
        yield Reader(con, landing_dir, glob.escape(str(template)), merging)


def _write_columns(template: Path) -> None:
    try:
        pq.write_table(landing_schema().empty_table(), template)
    except OSError as e:
        raise LandingError(
            f"{template.parent}: no room for a temporary file ({e.strerror or e}); TMPDIR can name "
            "another place"
        ) from e


def _merging_encrypted(con: duckdb.DuckDBPyConnection, template: Path) -> str:
    """The same for encrypted files, of which DuckDB 1.5 cannot merge columns by itself (#21508)."""
    columns = con.execute(
        f"DESCRIBE FROM read_parquet({quoted(template)}, encryption_config = {PARQUET_KEY})"
    ).fetchall()
    named = ", ".join(
        f"'{name}': {{name: '{name}', type: '{kind}', default_value: NULL}}"
        for name, kind, *_ in columns
    )
    return f"encryption_config = {PARQUET_KEY}, schema = MAP {{{named}}}"


def problem(path: Path) -> str | None:
    """Why a landing file cannot be read, having read all of it; None when it can.

    Raises FileNotFoundError when it is gone, EncryptionError when it needs a key or must not be in
    clear.
    """
    try:
        if key := tables.required_key(path):
            columns = tables.decrypt_table(path, key).column_names
            return None if KEY in columns else "not written by warmline"
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if KEY not in file.schema_arrow.names:
                return "not written by warmline"
            for group in range(file.num_row_groups):
                file.read_row_group(group)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, ValueError) as e:
        return str(e).splitlines()[0] if str(e) else type(e).__name__
    return None
