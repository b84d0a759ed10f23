"""Compacting: many analyses in one file, as a million calls should not be a million files.

Compacting needs no lock against workers and readers. An uncompacted file is first locked by a
rename, so that an analysis written meanwhile is a new file; locked and compacted files are read
like all others; and a file is removed only once its compacted copy is on disk. After a power cut at
any point an analysis is in two files at worst, and counts once.
"""

import hashlib
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from warmline.database import open_without_warehouse, quoted
from warmline.files import exclusive, make_private_folder
from warmline.landing import erasures, manifest, scan, store

_ROWS_IN_GROUP = 128  # most rows decoded to read one call
_LEFTOVER_AGE_S = 86_400.0

#: The rows to remove: a table, as there may be as many as calls in a year.
_REMOVED = "CREATE OR REPLACE TEMP TABLE removed AS SELECT unnest($keys::VARCHAR[]) AS landing_key"

#: All rows of the files to replace: uncompacted ones, those with less than half of their rows
#: current, and those with rows to remove or with outdated words or metadata. Rows that are kept get
#: the number of a new file.
_CHOSEN = f"""
CREATE OR REPLACE TEMP TABLE chosen AS
WITH kept AS (
    SELECT file, landing_key FROM ({scan.live_of("landed")})
    ANTI JOIN removed USING (landing_key)),
rows_of AS (
    SELECT landed.file, landed.landing_key, content_sha256, kept.file IS NOT NULL AS is_kept,
        kept.file IS NULL AND (removed.landing_key IS NOT NULL
            OR list_contains(list_transform(stage_keys, lambda s: s.stage), 'words')
            OR metadata_fingerprint IS DISTINCT FROM any_value(metadata_fingerprint)
                FILTER (kept.file IS NOT NULL) OVER (PARTITION BY landed.landing_key)
        ) AS has_to_go
    FROM landed
    LEFT JOIN kept USING (file, landing_key)
    LEFT JOIN removed ON removed.landing_key = landed.landing_key),
replaced AS (
    SELECT file FROM rows_of GROUP BY file
    HAVING file NOT LIKE '{store.COMPACTED}/%' OR count_if(is_kept) * 2 < $rows_in_pack
        OR bool_or(has_to_go))
SELECT file, landing_key, content_sha256, is_kept,
    (row_number() OVER (PARTITION BY is_kept ORDER BY landing_key) - 1) // $rows_in_pack AS pack
FROM rows_of SEMI JOIN replaced USING (file)
"""

_ROWS_OF_FILE = """
SELECT r.* EXCLUDE (filename)
FROM read_parquet($files, union_by_name = true, filename = true) AS r
SEMI JOIN (SELECT file, landing_key FROM chosen WHERE is_kept AND pack = $pack) AS c
    ON c.file = r.filename[$prefix:] AND c.landing_key = r.landing_key
"""


@dataclass(frozen=True)
class Compaction:
    """A finished compaction. `dropped` rows were outdated or removed; `unreadable` files stay."""

    packed: int
    packs: int
    dropped: int
    unreadable: dict[str, str]


def compact(landing_dir: Path, *, rows_in_pack: int = 2048) -> Compaction:
    """Merge uncompacted files, and compacted ones less than half full; drop superseded rows.

    Erased calls that have landed since are dropped, too. Raises LockedError when another process is
    compacting, LandingError when a compacted file cannot be written.
    """
    return _compact_again(landing_dir, erasures.forgotten_keys(landing_dir), rows_in_pack)


def remove(landing_dir: Path, keys: Collection[str], *, rows_in_pack: int = 2048) -> Compaction:
    """Erase analyses, by their `landing_key`, from compacted and uncompacted files alike.

    Raises as `compact` does.
    """
    return _compact_again(landing_dir, keys, rows_in_pack)


def _compact_again(landing_dir: Path, removed: Collection[str], rows_in_pack: int) -> Compaction:
    manifest.key_of(landing_dir)  # before any file is locked
    with exclusive(landing_dir / ".packing.lock", "compacting this landing folder"):
        for path in store.leftovers(landing_dir, older_than=time.time() - _LEFTOVER_AGE_S):
            path.unlink(missing_ok=True)
        _lock_uncompacted(landing_dir)
        for key in removed:
            store.locked_file(landing_dir, key).unlink(missing_ok=True)
        unreadable: dict[str, str] = {}
        while True:
            try:
                return _compact_locked(landing_dir, removed, rows_in_pack, unreadable)
            except scan.UnreadableError as e:
                unreadable |= e.problems
                _put_back(landing_dir, e.problems)


def _lock_uncompacted(landing_dir: Path) -> None:
    for uncompacted in store.uncompacted_files(landing_dir):
        locked = landing_dir / store.LOCKED / uncompacted.name
        make_private_folder(locked.parent)
        with suppress(FileNotFoundError):  # a refusal that has just been superseded
            (landing_dir / uncompacted.name).rename(locked)


def _put_back(landing_dir: Path, names: Collection[str]) -> None:
    """Move unreadable files back to where they were, unless something newer is there."""
    for name in names:
        if name.startswith(store.LOCKED):
            uncompacted = landing_dir / Path(name).relative_to(store.LOCKED)
            with suppress(FileExistsError):
                uncompacted.hardlink_to(landing_dir / name)
            (landing_dir / name).unlink()


def _compact_locked(
    landing_dir: Path, removed: Collection[str], rows_in_pack: int, unreadable: dict[str, str]
) -> Compaction:
    files = store.landed_files(landing_dir)
    left = {
        file.name for file in files if file.name.startswith(store.UNCOMPACTED)
    } | unreadable.keys()
    with open_without_warehouse() as con, scan.open_reader(con, landing_dir) as reader:
        reader.scan([file for file in files if file.name not in left])
        con.execute(_REMOVED, {"keys": list(removed)})
        con.execute(_CHOSEN, {"rows_in_pack": rows_in_pack})
        replaced = set(_column(con, "SELECT DISTINCT file FROM chosen"))
        packs = _column(con, "SELECT DISTINCT pack FROM chosen WHERE is_kept ORDER BY pack")
        kept, dropped = con.execute(
            "SELECT count_if(is_kept), count_if(NOT is_kept) FROM chosen"
        ).fetchall()[0]
        if not dropped and len(replaced) <= len(packs) and _are_compacted(replaced):
            return Compaction(0, 0, 0, unreadable)
        written = {_write_compacted(reader, pack) for pack in packs}
    for name in replaced - written:
        (landing_dir / name).unlink(missing_ok=True)
    return Compaction(kept, len(packs), dropped, unreadable)


def _are_compacted(names: Collection[str]) -> bool:
    return all(name.startswith(store.COMPACTED) for name in names)


def _write_compacted(reader: scan.Reader, pack: int) -> str:
    """Write one compacted file from its members; return its name, made from its content."""
    members = reader.con.execute(
        "SELECT file, content_sha256 FROM chosen WHERE is_kept AND pack = $pack", {"pack": pack}
    ).fetchall()
    names = sorted({file for file, _ in members})
    digest = hashlib.sha256("".join(sorted(content for _, content in members)).encode())
    path = store.compacted_file(reader.landing_dir, digest.hexdigest())

    def fill(temporary: Path) -> None:
        with reader.blaming(names):
            given = {"pack": pack, "prefix": reader.prefix}
            if reader.is_encrypted:
                copying = f"COPY ({_ROWS_OF_FILE}) TO {quoted(temporary)} ({store.COPY_OPTIONS})"
                reader.read(names, copying, **given)
                return
            batches = reader.read(names, _ROWS_OF_FILE, **given).to_arrow_reader()
            with pq.ParquetWriter(
                temporary, batches.schema, compression="zstd", write_page_checksum=True
            ) as writer:
                for batch in batches:
                    writer.write_batch(batch, row_group_size=_ROWS_IN_GROUP)

    return str(store.write_whole(path, fill).relative_to(reader.landing_dir))


def _column(con: duckdb.DuckDBPyConnection, sql: str) -> list[Any]:
    return [value for (value,) in con.execute(sql).fetchall()]
