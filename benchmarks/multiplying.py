"""Makes a large warehouse out of one day that was loaded: the day again, for other days.

Every copy has other names, dates and customers, and its own place in the search index; the agents
stay. What is asked afterwards cannot tell the copies from loaded calls: rows lie in the same order
and are as many. Their landing files are empty and never read, since the warehouse has noted them.
Each step doubles what is there, so that a million calls are six statements a table. The summaries
are filled at the end.
"""

from pathlib import Path

import duckdb

from warmline.database import open_for_building
from warmline.landing import store
from warmline.warehouse.load import summarize
from warmline.warehouse.tables import define_views, loaded_tables

#: No named query and no search reads these, and they are most of the bytes.
UNREAD = ("words", "utterances", "speech_segments", "stage_keys", "models")

#: What a small machine has: rows that do not fit are written before the statement ends.
_MEMORY = "3GB"

_CALL_ID = "'call-' || lpad((call_no - 1 + $shift)::VARCHAR, 9, '0')"
_ROWS = """
INSERT INTO {table}
SELECT * REPLACE (call_no + $shift AS call_no) FROM {table} WHERE call_no <= $until
"""
_CALLS = f"""
INSERT INTO calls
SELECT * REPLACE (
    {_CALL_ID} AS call_id,
    {_CALL_ID} AS claimed_call_id,
    '/calls/' || (call_no - 1 + $shift) || '.wav' AS path,
    started_at + to_days($days) AS started_at,
    analyzed_at + to_days($days) AS analyzed_at,
    modified_at + to_days($days) AS modified_at,
    'c-' || (hash(call_no + $shift) % 300000) AS customer_id,
    sha256(audio_sha256 || $days) AS audio_sha256,
    'analyses/' || sha256(audio_sha256 || $days) AS landing_key,
    sha256(content_sha256 || $days) AS content_sha256,
    call_no + $shift AS call_no)
FROM calls WHERE call_no <= $until
"""
_SEARCH_CALLS = """
INSERT INTO search.calls
SELECT * REPLACE (
    sha256(content_sha256 || $days) AS content_sha256, call_no + $shift AS call_no)
FROM search.calls WHERE call_no <= $until
"""
_POSTINGS = """
INSERT INTO search.postings
SELECT * REPLACE (call_no + $shift AS call_no) FROM search.postings WHERE call_no <= $until
"""
_ENTRIES = """
INSERT INTO landing.entries BY NAME
SELECT $file AS file, landing_key, content_sha256, analyzed_at AT TIME ZONE 'UTC' AS analyzed_at,
    modified_at AT TIME ZONE 'UTC' AS modified_at, path, call_id
FROM calls WHERE call_no > $shift
"""


def multiply(landing_dir: Path, warehouse: Path, calls: int, per_day: int) -> None:
    """Bring the warehouse to so many calls, of which the first `per_day` were loaded."""
    tables = [file.table for file in loaded_tables() if file.name not in UNREAD]
    with open_for_building(warehouse) as con:
        con.execute(f"SET memory_limit = '{_MEMORY}'")
        at = there = int(con.execute("SELECT max(call_no) FROM calls").fetchall()[0][0])
        while there < calls:
            given = {"shift": there, "until": min(there, calls - there), "days": there // per_day}
            con.begin()
            for table in tables:
                _run(con, _CALLS if table == "main.calls" else _ROWS.format(table=table), given)
            _run(con, _SEARCH_CALLS, given)
            _run(con, _POSTINGS, given)
            name, stamp = _placeholder(landing_dir, there)
            con.execute("INSERT INTO landing.files VALUES ($1, $2, NULL)", [name, stamp])
            con.execute(_ENTRIES, {"file": name, "shift": there})
            con.commit()
            there += given["until"]
        con.execute(
            "CREATE TEMP TABLE touched AS SELECT call_no FROM calls WHERE call_no > $1", [at]
        )
        define_views(con)
        summarize(con)
        con.execute("CHECKPOINT")


def _run(con: duckdb.DuckDBPyConnection, sql: str, given: dict[str, int]) -> None:
    con.execute(sql, {name: value for name, value in given.items() if f"${name}" in sql})


def _placeholder(landing_dir: Path, number: int) -> tuple[str, str]:
    """The name and the stamp of an empty landing file that stands for copied calls."""
    name = f"packs/copied/{number:09d}.parquet"
    path = landing_dir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return next((f.name, f.stamp) for f in store.landed_files(landing_dir) if f.name == name)
