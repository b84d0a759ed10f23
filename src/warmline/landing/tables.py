"""Tables as Parquet files of the landing folder, in clear or encrypted.

Clear files are pyarrow's. Encrypted ones (AES-256-GCM, Parquet's modular encryption with one key
for everything) are written and read by DuckDB: the two libraries bind pages to their places in
different ways, and neither reads nested columns that the other has encrypted.
"""

import glob
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from warmline.database import PARQUET_KEY, open_with_key, quoted
from warmline.encryption import HOW_TO_GIVE, Key, current_key
from warmline.errors import EncryptionError

_CLEAR, _ENCRYPTED = b"PAR1", b"PARE"
#: How DuckDB writes an encrypted file.
# Into the private file that is there, not into one that DuckDB makes for everybody to read.
COPY_OPTIONS = (
    f"FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false, ENCRYPTION_CONFIG {PARQUET_KEY}"
)


def is_encrypted(path: Path) -> bool:
    """Whether this is an encrypted file. Raises OSError."""
    with path.open("rb") as file:
        return file.read(len(_ENCRYPTED)) == _ENCRYPTED


def write_table(table: pa.Table, path: Path, **clear: Any) -> None:
    """Write a table, encrypted when there is a key, else as pyarrow does with the options `clear`.

    Raises OSError when it cannot be written, WarehouseError when what encrypts is not installed.
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
            raise OSError(str(e).splitlines()[0]) from e


def copy_encrypted(con: duckdb.DuckDBPyConnection, table: pa.Table, path: Path) -> None:
    """Write a table encrypted with the key that a connection was opened with."""
    con.register("given", table)
    con.execute(f"COPY given TO {quoted(path)} ({COPY_OPTIONS})")
    con.unregister("given")


def read_table(path: Path) -> pa.Table:
    """The rows of a file, having checked that none of its bytes is damaged.

    Raises as `required_key` does, and OSError or pyarrow's errors for what cannot be read.
    """
    key = required_key(path)
    if key is None:
        return pq.read_table(path, page_checksum_verification=True)
    return decrypt_table(path, key)


def decrypt_table(path: Path, key: Key, where: str = "true", **given: object) -> pa.Table:
    """The rows of an encrypted file for which an SQL condition holds.

    Raises OSError for a file that is damaged, or encrypted with another key.
    """
    rows = f"FROM read_parquet($path, encryption_config = {PARQUET_KEY}) WHERE {where}"
    with open_with_key(key, writes=False) as con:
        con.execute("SET TimeZone = 'UTC'")
        try:
            return con.execute(rows, {"path": glob.escape(str(path)), **given}).to_arrow_table()
        except duckdb.Error as e:
            cause = str(e).splitlines()[0]
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
    """A text that `write_text` wrote. Raises as `read_table`, or UnicodeDecodeError."""
    key = required_key(path)
    if key is None:
        return path.read_text(encoding="utf-8")
    text: str = decrypt_table(path, key).column("text")[0].as_py()
    return text


def required_key(path: Path) -> Key | None:
    """The key that a file needs; None for one in clear.

    Raises EncryptionError when it is encrypted and no key is given, or it is in clear and one is;
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
