"""One analysis as one row of a Parquet file: writing it, and reading it back."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from warmline.analysis import CallAnalysis
from warmline.encryption import Key
from warmline.landing import erasures, manifest, store
from warmline.landing.store import LandingError
from warmline.values import CallMetadata

KEY, CONTENT, METADATA = "landing_key", "content_sha256", "metadata_fingerprint"

#: A single row gains nothing from statistics and dictionaries; without them the file is smaller.
_PARQUET: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": False,
    "write_statistics": False,
    "write_page_checksum": True,
}


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
        cause = str(e).splitlines()[0] if str(e) else type(e).__name__
        raise LandingError(f"{path}: not a readable analysis ({cause})") from e


def _row(file: pq.ParquetFile, key: str | None) -> dict[str, Any]:
    """Return the one row, or the row of a key, reading only the row group that holds it."""
    names = set(file.schema_arrow.names) & set(landing_schema().names)
    for group in range(file.num_row_groups):
        keys = file.read_row_group(group, columns=[KEY]).column(KEY).to_pylist()
        wanted = [i for i, found in enumerate(keys) if key in (None, found)]
        if key is None and len(keys) * file.num_row_groups != 1:
            raise ValueError(f"holds {file.metadata.num_rows} analyses; say which key")
        if wanted:
            rows = file.read_row_group(group, columns=sorted(names)).slice(wanted[0], 1)
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
    text = json.dumps(row, default=lambda time: time.isoformat(), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
