"""Swap a warehouse atomically: build it beside the current one, and replace that in one step.

It is built in a private folder, together with its log and whatever else DuckDB puts beside it. The
publisher leaves no log beside the warehouse: one that lies there is not its own, and is never read.
What only the warehouse of before knows is carried over; scores that loading replaces are noted.
"""

import glob
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import duckdb

from warmline.database import attach, has_foreign_log, log_of, open_to_convert
from warmline.encryption import Key
from warmline.errors import EncryptionError, WarehouseError, first_line
from warmline.files import PRIVATE_FILE, LockedError, exclusive, make_private_folder, sync
from warmline.landing import manifest
from warmline.landing.manifest import Change


def building_beside(warehouse: Path) -> Path:
    """Return the file in which this process builds the new warehouse."""
    return warehouse.with_name(f"{warehouse.name}.building-{os.getpid()}") / warehouse.name


def remove_leftovers(warehouse: Path) -> None:
    """Remove what this or a killed process left of an unfinished warehouse."""
    for path in warehouse.parent.glob(f"{glob.escape(warehouse.name)}.building-*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def copy_beside(warehouse: Path, building: Path) -> None:
    """Start from a copy of the last published file, without any log beside it."""
    shutil.copyfile(warehouse, building)


def discard_foreign_log(warehouse: Path) -> None:
    """Remove a log beside the warehouse that no program is writing: it is not the publisher's."""
    if not warehouse.exists() or has_foreign_log(warehouse):
        log_of(warehouse).unlink(missing_ok=True)


def copy_what_counts(source: Path, target: Path, before: Key | None, after: Key | None) -> None:
    """Copy a warehouse row by row, each encrypted with its key: no byte of what was deleted."""
    with open_to_convert(target, before, after) as con:
        attach(con, "old", source, before, read_only=True)
        attach(con, "new", target, after, read_only=False)
        con.execute("USE old")
        copy_all(con, "new")


def copy_all(con: duckdb.DuckDBPyConnection, target: str) -> None:
    """Copy the current database row by row into one attached under this name, and detach that."""
    ((source,),) = con.execute("SELECT current_database()").fetchall()
    con.execute(f'COPY FROM DATABASE "{source}" TO {target}')
    con.execute(f"CHECKPOINT {target}")
    con.execute(f"DETACH {target}")


def swap(building: Path, warehouse: Path) -> None:
    """Put the new file in place, durably."""
    building.chmod(PRIVATE_FILE)
    sync(building)
    log_of(warehouse).unlink(missing_ok=True)
    building.replace(warehouse)
    sync(warehouse.parent)


# Changes the key of landing folder and warehouse; None is unencrypted.


@dataclass(frozen=True)
class Changed:
    """How many landing files were rewritten, and whether the warehouse was."""

    files: int
    warehouse: bool


def change_key(
    landing_dir: Path, warehouse: Path, before: Key | None, after: Key | None
) -> Changed:
    """Encrypt, decrypt, or re-encrypt a warehouse with another key.

    No copy of the old files is left. The same call completes an interrupted change; files that are
    already changed are left alone. Raises EncryptionError when a key does not match the places, or
    a file cannot be read; WarehouseError when a nightly run is under way, or the disk is full.
    """
    place, change = warehouse.resolve(), Change(before, after)
    try:
        with (
            exclusive(place.with_name(f"{place.name}.lock"), "publishing this warehouse"),
            exclusive(landing_dir / ".packing.lock", "compacting this landing folder"),
        ):
            discard_foreign_log(place)
            open_to_convert(
                place, before, after
            ).close()  # nothing is begun without the extension that encrypts
            manifest.begin(landing_dir, change)
            files = manifest.rewrite(landing_dir, change)
            rewritten = place.is_file() and _rewrite(place, change)
            _remove_leftovers(place)
            manifest.finish(landing_dir, change)
            return Changed(files, rewritten)
    except LockedError as e:
        raise WarehouseError(str(e)) from e
    except (duckdb.IOException, OSError) as e:
        cause = first_line(e)
        raise WarehouseError(
            f"{place}: not finished ({cause}); put it right, and run the same command again"
        ) from e


def _rewrite(warehouse: Path, change: Change) -> bool:
    """Copy everything in the warehouse into a new file, and put that in its place."""
    if _opens(warehouse, change.after):
        return False
    _remove_leftovers(warehouse)
    building = building_beside(warehouse)
    make_private_folder(building.parent)
    copy_what_counts(warehouse, building, change.before, change.after)
    swap(building, warehouse)
    return True


def _opens(warehouse: Path, key: Key | None) -> bool:
    """Return whether the warehouse has this key already."""
    with open_to_convert(warehouse, key) as con:
        try:
            attach(con, "old", warehouse, key, read_only=True)
        except EncryptionError:
            return False
    return True


def _remove_leftovers(warehouse: Path) -> None:
    """Remove what killed processes left beside the warehouse: it may be unencrypted."""
    remove_leftovers(warehouse)
    shutil.rmtree(warehouse.with_name(f"{warehouse.name}.tmp"), ignore_errors=True)


# Carries over what only the old warehouse knows when a new one is built from the landing folder.


YESTERDAY = "yesterday"  # what the warehouse of before is attached as

_HISTORY = {
    "main.runs": "INSERT",
    "main.metric_definitions": "INSERT",
    "main.profile_settings": "INSERT OR REPLACE",
}
_ENTRIES = """
file IN (SELECT file FROM landing.files WHERE problem IS NOT NULL)
AND landing_key NOT IN (SELECT unnest($erased::VARCHAR[]))
"""
_CALLS = f"""
CREATE OR REPLACE TEMP TABLE unreadable AS
SELECT call_id, row_number() OVER (ORDER BY modified_at, call_id) AS call_no
FROM {YESTERDAY}.main.calls
WHERE landing_key IN (SELECT landing_key FROM landing.entries WHERE {_ENTRIES})
"""
_OUTCOME_LINES = "file IN (SELECT file FROM landing.outcome_files WHERE problem IS NOT NULL)"
_SAID = (
    ("main.reviews", "review_id", "landing.review_files"),
    ("main.evaluations", "evaluation_id", "landing.evaluation_files"),
)


def carry_over_history(con: duckdb.DuckDBPyConnection) -> None:
    """Copy the publishings, the earlier definitions and the weights of the profile."""
    for table, verb in _HISTORY.items():
        _copy(con, table, "true", verb=verb)


def carry_over_unreadable_calls(
    con: duckdb.DuckDBPyConnection, tables: Collection[str], erased: Collection[str]
) -> None:
    """Copy the rows of calls whose landing files cannot be read, unless they were erased.

    `landing.files` and `landing.entries` have to be up to date, and `tables` still empty.
    """
    if not con.execute("FROM landing.files WHERE problem IS NOT NULL LIMIT 1").fetchone():
        return
    _copy(con, "landing.entries", _ENTRIES, given={"erased": list(erased)})
    con.execute(_CALLS, {"erased": list(erased)})
    for table in tables:
        name = table.partition(".")[2]
        shared = _shared_columns(con, f"main.{name}")
        columns = [f"old.{column}" for column in shared if column not in ("call_id", "call_no")]
        if columns:
            key = "call_id, unreadable.call_no" if name == "calls" else "unreadable.call_no"
            con.execute(
                f"INSERT INTO {table} BY NAME SELECT {key}, {', '.join(columns)} "
                f"FROM {YESTERDAY}.main.{name} AS old INNER JOIN unreadable USING (call_id)"
            )


def carry_over_unreadable_outcomes(con: duckdb.DuckDBPyConnection) -> bool:
    """Copy the outcomes whose landed files cannot be read; returns whether there are such files."""
    _copy(con, "landing.outcome_lines", _OUTCOME_LINES)
    return bool(con.execute(f"FROM landing.outcome_lines WHERE {_OUTCOME_LINES}").fetchone())


def carry_over_unreadable_feedback(con: duckdb.DuckDBPyConnection) -> None:
    """Copy the reviews and evaluations whose landed files cannot be read."""
    for table, key, files in _SAID:
        damaged = con.execute(f"SELECT file FROM {files} WHERE problem IS NOT NULL").fetchall()
        if ids := [Path(file).stem for (file,) in damaged]:
            _copy(con, table, f"{key} IN (SELECT unnest($ids::VARCHAR[]))", given={"ids": ids})


def _copy(
    con: duckdb.DuckDBPyConnection,
    table: str,
    where: str,
    *,
    verb: str = "INSERT",
    given: dict[str, list[str]] | None = None,
) -> None:
    """Copy the rows of an earlier table, in the columns that both versions have."""
    columns = ", ".join(_shared_columns(con, table))
    if columns:
        con.execute(
            f"{verb} INTO {table} BY NAME SELECT {columns} FROM {YESTERDAY}.{table} WHERE {where}",
            given or {},
        )


def _shared_columns(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Return the columns that a table has now and had before; none if there was no such table."""
    before = _columns(con, f"{YESTERDAY}.{table}")
    return [column for column in _columns(con, table) if column in before]


def _columns(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    try:
        return [name for name, *_ in con.execute(f"FROM {table} LIMIT 0").description or ()]
    except duckdb.CatalogException:
        return []


# Keeps what calls were scored before they are loaded again, so that it can be said what changed.
#
# Loading replaces all rows of such a call. Before it does, its stages' keys and its headline
# measures go into temporary tables; `warehouse/tables/rescored_calls.sql` compares them with the
# new ones.


_NAMES = """
SELECT view_name FROM duckdb_views() WHERE database_name = $database
UNION ALL
SELECT table_name FROM duckdb_tables() WHERE database_name = $database AND schema_name = 'main'
"""
#: Of a call that was loaded again only for another name or place, `rescored` stays as it was.
_SCORED = """
CREATE OR REPLACE TEMP TABLE scored_before AS
WITH again AS (
    SELECT old.call_id, landing_key, old.content_sha256 <> wanted.content_sha256 AS is_other
    FROM wanted INNER JOIN "{database}".main.calls AS old USING (landing_key)
),
keys AS (
    SELECT call_id, map_from_entries(list({{'k': stage, 'v': key}})) AS stage_keys
    FROM "{database}".main.stage_keys SEMI JOIN again USING (call_id)
    GROUP BY call_id
)
SELECT again.*, stage_keys, rescored
FROM again INNER JOIN keys USING (call_id)
LEFT JOIN ({rescored}) AS earlier USING (call_id)
WHERE is_other OR rescored IS NOT NULL
"""
_RESCORED = """
SELECT call_id, {{'run_id': run_id, 'stage': stage, 'changes': changes}} AS rescored
FROM "{database}".main.rescored_calls
"""
_NEVER = """
SELECT NULL::VARCHAR AS call_id, NULL::STRUCT(
    run_id BIGINT, stage VARCHAR, changes STRUCT("name" VARCHAR, "before" DOUBLE, "after" DOUBLE)[]
) AS rescored
"""
_MEASURED = """
CREATE OR REPLACE TEMP TABLE measured_before AS
SELECT landing_key, "name", "value"
FROM (
    SELECT scored_before.landing_key, old.* EXCLUDE (call_id)
    FROM scored_before INNER JOIN "{database}".main.call_measures AS old USING (call_id)
    WHERE is_other
)
UNPIVOT INCLUDE NULLS ("value" FOR "name" IN (COLUMNS(* EXCLUDE (landing_key))))
"""
_NOTHING = """
CREATE OR REPLACE TEMP TABLE scored_before (
    landing_key VARCHAR, stage_keys MAP(VARCHAR, VARCHAR),
    rescored STRUCT(
        run_id BIGINT, stage VARCHAR,
        changes STRUCT("name" VARCHAR, "before" DOUBLE, "after" DOUBLE)[]));
CREATE OR REPLACE TEMP TABLE measured_before (
    landing_key VARCHAR, "name" VARCHAR, "value" DOUBLE)
"""


def note_scores(con: duckdb.DuckDBPyConnection, before: str | None) -> None:
    """Note the earlier scores of calls in the temporary table `wanted`, which are in `outdated`.

    `before` is the attached warehouse that has them; None is this one. One of an early version may
    lack what is compared: then nothing is noted.
    """
    if before is None and not con.execute("FROM outdated LIMIT 1").fetchone():
        con.execute(_NOTHING)  # most nights only add calls
        return
    ((database,),) = con.execute("SELECT coalesce($1, current_database())", [before]).fetchall()
    names = {name for (name,) in con.execute(_NAMES, {"database": database}).fetchall()}
    if not {"calls", "stage_keys", "call_measures"} <= names:
        con.execute(_NOTHING)
        return
    earlier = _RESCORED if "rescored_calls" in names else _NEVER
    rescored = earlier.format(database=database)
    con.execute(_SCORED.format(database=database, rescored=rescored))
    con.execute(_MEASURED.format(database=database))
