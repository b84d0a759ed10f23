"""Keep what calls were scored before they are loaded again, so that it can be said what changed.

Loading replaces all rows of such a call. Before it does, its stages' keys and its headline measures
go into temporary tables; `warehouse/tables/rescored_calls.sql` compares them with the new ones.
"""

import duckdb

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
