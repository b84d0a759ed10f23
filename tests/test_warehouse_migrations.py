"""Every earlier version becomes the warehouse of today, and all of that has comments."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from warehousing import put, rich
from warmline.errors import WarehouseError
from warmline.warehouse.dictionary import dictionary_of_an_empty_warehouse
from warmline.warehouse.tables import SqlFile, define_views, in_order_of_use, migrate, sql_files

ROOT = Path(__file__).resolve().parents[1]


def columns_and_views(con: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return con.execute(
        "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE NOT internal AND database_name = 'memory' ORDER BY ALL"
    ).fetchall()


def test_migrations_lead_from_every_earlier_version_to_the_same_schema() -> None:
    migrations = sql_files("migrations")
    with duckdb.connect() as con:
        assert len(migrate(con)) == len(migrations)
        define_views(con)
        expected = columns_and_views(con)
        assert migrate(con) == ()
    for earlier in range(len(migrations)):
        with duckdb.connect() as con:
            migrate(con, migrations[:earlier])
            assert migrate(con) == tuple(m.name for m in migrations[earlier:])
            define_views(con)
            assert columns_and_views(con) == expected


def test_a_warehouse_of_an_earlier_version_is_migrated_by_the_next_publishing(
    tmp_path: Path,
) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        migrate(con, sql_files("migrations")[:3])
    assert put(tmp_path, rich()).loaded == 1


def test_a_failed_migration_leaves_its_tables_as_they_were() -> None:
    good = SqlFile("0001_good", "CREATE TABLE t (a INTEGER);")
    bad = SqlFile("0002_bad", "CREATE TABLE u (a INTEGER); CREATE TABLE t (a INTEGER);")
    with duckdb.connect() as con:
        with pytest.raises(WarehouseError, match=r"migration 0002_bad: .*already exists"):
            migrate(con, (good, bad))
        assert con.execute("SELECT name FROM schema_migrations").fetchall() == [("0001_good",)]
        assert ("u",) not in con.execute("SHOW TABLES").fetchall()


def test_an_edited_or_unknown_migration_is_refused() -> None:
    good = SqlFile("0001_good", "CREATE TABLE t (a INTEGER);")
    with duckdb.connect() as con:
        migrate(con, (good,))
        with pytest.raises(WarehouseError, match="migration 1 was edited"):
            migrate(con, (SqlFile("0001_good", "CREATE TABLE t (b INTEGER);"),))
        with pytest.raises(WarehouseError, match="made by a newer one"):
            migrate(con, ())
    with duckdb.connect() as con, pytest.raises(WarehouseError, match="must be like"):
        migrate(con, (SqlFile("first", ""),))


def test_views_are_made_after_what_they_use() -> None:
    files = [SqlFile("a", "SELECT * FROM b"), SqlFile("b", "SELECT * FROM c"), SqlFile("c", "")]
    assert [file.name for file in in_order_of_use(files)] == ["c", "b", "a"]


def test_every_table_view_and_column_has_a_comment() -> None:
    with duckdb.connect() as con:
        migrate(con)
        define_views(con)
        bare = con.execute(
            "SELECT table_name, column_name FROM duckdb_columns() "
            "WHERE NOT internal AND database_name = 'memory' AND coalesce(comment, '') = '' "
            "UNION ALL SELECT table_name, '' FROM duckdb_tables() WHERE coalesce(comment, '') = '' "
            "UNION ALL SELECT view_name, '' FROM duckdb_views() "
            "WHERE NOT internal AND coalesce(comment, '') = ''"
        ).fetchall()
    assert bare == []


def test_the_dictionary_is_up_to_date() -> None:
    readme = (ROOT / "warehouse" / "README.md").read_text(encoding="utf-8")
    assert readme == dictionary_of_an_empty_warehouse(), (
        "write it anew: python -m warmline.warehouse.dictionary > warehouse/README.md"
    )


def test_every_sql_file_of_checks_and_queries_says_what_it_is_for() -> None:
    for kind in ("checks", "queries"):
        assert all(file.header for file in sql_files(kind))
