"""The one module that opens DuckDB: a warehouse to read or to build, or no file at all.

Once a key is set, warehouses are encrypted (AES-256-GCM), and so are DuckDB's temporary files. The
key is passed to DuckDB as a bound parameter: it is in no statement, and so in no error.
"""

import fcntl
import importlib
from functools import cache
from pathlib import Path

import duckdb

from warmline.encryption import HOW_TO_GIVE, Key, current_key
from warmline.errors import EncryptionError, WarehouseError, WarmlineError, first_line

# DuckDB's extensions, taken from installed packages: nothing is downloaded.


def load_extension(con: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension into a connection, before its access to files is switched off.

    DuckDB checks its signature. Raises WarehouseError when the package that contains it is not
    installed, or contains it for another version of DuckDB.
    """
    package = f"duckdb_extension_{name}"
    wanted = f"extensions/v{duckdb.__version__}/{name}.duckdb_extension"
    try:
        carrier = importlib.import_module(package)
    except ModuleNotFoundError as e:
        raise WarehouseError(
            f"DuckDB's extension {name} is missing: pip install "
            f"{package.replace('_', '-')}=={duckdb.__version__}"
        ) from e
    file = Path(carrier.__path__[0]) / wanted
    try:
        con.execute(f"LOAD '{str(file).replace(chr(39), chr(39) * 2)}'")
    except duckdb.Error as e:
        raise WarehouseError(
            f"DuckDB {duckdb.__version__} cannot load its extension {name} from {file}: "
            f"{first_line(e)}"
        ) from e


#: The encryption config of `read_parquet` and `COPY`: the key that a connection was opened with.
PARQUET_KEY = "{footer_key: 'warmline'}"

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # By default a new file is such as DuckDB 0.10 could read: to convert its statistics takes half
    # of the time of opening it.
    "storage_compatibility_version": "v1.5.0",
}
# DuckDB itself decrypts at 40 MB/s, OpenSSL sixteen times as fast once it is loaded (0.2 s).
_WORTH_OPENSSL_BYTES = 32 * 1024 * 1024
# Some thousand calls: waking a second thread for each statement takes a quarter more than it saves.
_WORTH_THREADS_BYTES = 16 * 1024 * 1024
#: The smallest blocks that DuckDB has. With its usual ones of 256 KiB three calls take 20 MB, and
#: each publishing copies and writes them.
_SMALL_BLOCK_BYTES = 16 * 1024
# Of 2,500 calls (10 MB) a file of small blocks is a sixth larger, and texts take longer to read.
_FEW_BYTES = 4 * 1024 * 1024


def is_of_few(landed_bytes: int) -> bool:
    """Return whether that much has landed of a thousand calls at most."""
    return landed_bytes < _FEW_BYTES


def open_for_reading(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a connection that cannot change the warehouse; any number of them may be open.

    Each is a DuckDB instance of its own: one that this process already has open would keep reading
    its old file after another has replaced it. Raises WarehouseError when there is no such
    warehouse, or another program writes to it or left a log beside it; EncryptionError when the key
    that is set, or its absence, does not match the warehouse.
    """
    if not path.is_file():
        raise WarehouseError(f"{path}: no warehouse here; `warmline analyze` makes one")
    if _is_no_database(path):
        raise WarehouseError(f"{path}: not a warehouse that can be opened (no DuckDB file)")
    return _attach(path, current_key(), read_only=True)


#: It stands after a checksum of eight bytes, encrypted or not.
_MAGIC = b"DUCK"


def _is_no_database(path: Path) -> bool:
    """Return whether a file is none of DuckDB's, for which DuckDB has errors of its own words."""
    try:
        with path.open("rb") as file:
            return file.read(12)[8:] != _MAGIC
    except OSError:  # which opening it tells
        return False


def open_for_building(path: Path, *, landed_bytes: int | None = None) -> duckdb.DuckDBPyConnection:
    """Open a connection that writes to a warehouse not yet visible to anyone else.

    `landed_bytes` is how much there is to load at most; unknown means much. A new file for few
    calls has small blocks (`has_small_blocks`).
    """
    key = current_key()
    is_small = landed_bytes is not None and is_of_few(landed_bytes)
    block_bytes = _SMALL_BLOCK_BYTES if is_small else None
    con = (
        _connect(path, block_bytes)
        if key is None
        else _attach(path, key, read_only=False, block_bytes=block_bytes)
    )
    if landed_bytes is not None and landed_bytes < _WORTH_THREADS_BYTES:
        con.execute("SET threads = 1")
    con.execute("SET TimeZone = 'UTC'")
    # Unnested lists look short to the planner: words would be looked up turn by turn.
    con.execute("SET asof_loop_join_threshold = 0")
    # A file that is thrown away when the process dies gains nothing from a checkpoint after every
    # batch, which takes as long as the loading itself.
    con.execute("SET checkpoint_threshold = '1TB'")
    return _reading_once(con)


def has_small_blocks(con: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the file of a connection was made for few calls."""
    found = con.execute(
        "SELECT block_size FROM pragma_database_size() WHERE database_name = current_database()"
    ).fetchone()
    return found is not None and found[0] <= _SMALL_BLOCK_BYTES


def open_without_warehouse() -> duckdb.DuckDBPyConnection:
    """Open a connection to no file of its own: for landing files and temporary tables."""
    key = current_key()
    return _reading_once(duckdb.connect() if key is None else open_with_key(key))


def open_with_key(key: Key, *, writes: bool = True) -> duckdb.DuckDBPyConnection:
    """Open a connection to no file that reads and writes Parquet files encrypted with this key.

    One that only reads opens at once, but is slow with large files, and never writes to disk.
    Raises WarehouseError when the extension that encrypts is not installed.
    """
    con = _open_nothing(writes=writes)
    con.execute("SET VARIABLE key = $key", {"key": key.text})
    con.execute("PRAGMA add_parquet_key('warmline', getvariable('key'))")
    con.execute("RESET VARIABLE key")
    return con


def open_to_convert(path: Path, *keys: Key | None) -> duckdb.DuckDBPyConnection:
    """Open a connection for attaching warehouses with these keys, or None, and copying them.

    Raises WarehouseError when there is a key and the extension that encrypts is not installed.
    """
    con = _open_in_clear() if all(key is None for key in keys) else _open_nothing(writes=True)
    con.execute(f"SET temp_directory = {quoted(path.with_name(f'{path.name}.tmp'))}")
    return con


def attach(
    con: duckdb.DuckDBPyConnection, name: str, path: Path, key: Key | None, *, read_only: bool
) -> None:
    """Attach a warehouse to the connection as a database. Raises as `open_for_reading` does."""
    options = ["READ_ONLY"] if read_only else []
    given = {}
    if key is not None:
        options.append("ENCRYPTION_KEY $key")
        given["key"] = key.text
    listed = f"({', '.join(options)})" if options else ""
    if read_only and has_foreign_log(path):
        raise WarehouseError(
            f"{log_of(path)}: a log of changes that warmline did not make, beside the warehouse; "
            "they are no part of it: delete the log, or let the next publishing do so"
        )
    cause = None
    try:
        con.execute(f"ATTACH {quoted(path)} AS {name} {listed}", given)
    except duckdb.Error as e:
        cause = first_line(e)
    if cause is not None:  # here, so that no error chains the one that has the key
        raise _explained(path, cause, key)


@cache
def stemmer() -> duckdb.DuckDBPyConnection:
    """Return this process's own connection that reduces words to stems; use a cursor of it.

    Each time DuckDB loads the extension that does so, it checks its signature, which takes a tenth
    of a small publishing. Raises WarehouseError when the extension is not installed.
    """
    con = duckdb.connect(config={**_CONFIG, "threads": 1, "temp_directory": ""})
    load_extension(con, "fts")
    return con


def log_of(database: Path) -> Path:
    """Return the path of the write-ahead log beside a database file."""
    return database.with_name(f"{database.name}.wal")


def has_foreign_log(database: Path) -> bool:
    """Return whether a log lies beside a file that no program is writing to at the moment.

    The publisher leaves none: another program wrote it, and DuckDB would take its content for part
    of the warehouse. Raises OSError.
    """
    if not log_of(database).exists():
        return False
    with database.open("rb") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def quoted(path: Path) -> str:
    """Return a path quoted for SQL."""
    return "'" + str(path).replace("'", "''") + "'"


def _reading_once(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Keep no landing file in memory: they are read once, and DuckDB would cache a megabyte of
    each.
    """
    con.execute("SET enable_external_file_cache = false")
    return con


def _attach(
    path: Path, key: Key | None, *, read_only: bool, block_bytes: int | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a connection to nothing but this file; a new one gets blocks of that size."""
    con = _open_beside(path, key, writes=not read_only)
    try:
        if block_bytes is not None:
            con.execute(f"SET default_block_size = '{block_bytes}'")
        # With more, this one would ask again and again whether another has read the catalog.
        con.execute("SET threads = 1")
        attach(con, "warehouse", path, key, read_only=read_only)
        con.execute("RESET threads")
    except WarmlineError:
        con.close()
        raise
    con.execute("USE warehouse")
    return con


#: In a process that forks: what its forks open files in.
_of_forks: duckdb.DuckDBPyConnection | None = None


def prepare_for_forks() -> None:
    """Do now what opening any file begins with, for forks of this process that open one each.

    That is half of the time it takes. What there is to inherit has no file and no thread: importing
    DuckDB has opened a database with threads, which a fork would lack, and that is closed.
    """
    global _of_forks
    duckdb.close()
    _of_forks = duckdb.connect(config={**_CONFIG, "threads": 1})


def _open_in_clear() -> duckdb.DuckDBPyConnection:
    # A connection of its own has random numbers of its own, too.
    con = _of_forks.cursor() if _of_forks else duckdb.connect(config=dict(_CONFIG))
    con.execute("SET enable_progress_bar = false")  # it would be drawn on standard output
    return con


def _open_nothing(*, writes: bool) -> duckdb.DuckDBPyConnection:
    con = _open_in_clear()
    if writes:
        load_extension(con, "httpfs")
        con.execute("SET temp_file_encryption = true")
    else:
        con.execute("SET temp_directory = ''")
    return con


def _open_beside(path: Path, key: Key | None, *, writes: bool) -> duckdb.DuckDBPyConnection:
    aside = quoted(path.with_name(f"{path.name}.tmp"))
    if key is None:
        con = _open_in_clear()
        con.execute(f"SET temp_directory = {aside}")
        return con
    if not writes and path.stat().st_size < _WORTH_OPENSSL_BYTES:
        return open_with_key(key, writes=False)
    try:
        con = open_with_key(key)
    except WarehouseError:
        if writes:
            raise
        return open_with_key(key, writes=False)
    con.execute(f"SET temp_directory = {aside}")
    return con


def _connect(path: Path, block_bytes: int | None) -> duckdb.DuckDBPyConnection:
    blocks = {} if block_bytes is None else {"default_block_size": str(block_bytes)}
    try:
        con = duckdb.connect(str(path), config={**_CONFIG, **blocks})
    except duckdb.Error as e:
        raise _explained(path, first_line(e), None) from e
    con.execute("SET enable_progress_bar = false")
    return con


#: What DuckDB says of a file whose checksums do not fit.
DAMAGED = "Corrupt database file"


def damage(cause: str) -> str:
    """Return what to do about a damaged warehouse, and DuckDB's reason."""
    return (
        "the warehouse is damaged; delete it, and `warmline analyze` or the next night builds it "
        f"again from the landing folder ({cause})"
    )


def _explained(path: Path, cause: str, key: Key | None) -> WarmlineError:
    """Return an error that says what to do about a warehouse DuckDB cannot open."""
    said = cause.replace(str(path), "")  # a file may be called anything
    if "Could not set lock" in said:
        return WarehouseError(
            f"{path}: another program has it open for writing; close it, or open it there "
            f"read-only ({cause})"
        )
    if "without a key" in said:
        return EncryptionError(f"{path}: encrypted; {HOW_TO_GIVE}")
    if key and "Wrong encryption key" in said:
        return EncryptionError(f"{path}: encrypted with another key than that of {key.origin}")
    if key and "is not encrypted" in said:
        return EncryptionError(
            f"{path}: not encrypted, although there is a key ({key.origin}); "
            "`warmline encrypt` encrypts what is there"
        )
    if DAMAGED in said:
        return WarehouseError(f"{path}: {damage(cause)}")
    return WarehouseError(f"{path}: not a warehouse that can be opened ({cause})")
