"""A warehouse of other tables is built anew from the landing folder, and nothing is lost."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from support.factories import definitions_of, sha, without_analysis
from support.marked import evaluation
from support.once import Once
from support.warehouses import contents, put, rich, rows
from warmline import landing
from warmline.database import has_small_blocks, open_for_reading
from warmline.errors import WarehouseError
from warmline.landing.feedback import (
    OutcomeLine,
    Review,
    write_evaluation,
    write_outcomes,
    write_review,
)
from warmline.landing.store import LandedFile
from warmline.query.calls import read_page
from warmline.query.questions import ask
from warmline.settings import ProfileSettings
from warmline.warehouse import publishing
from warmline.warehouse.publishing import publish
from warmline.warehouse.tables import (
    SqlFile,
    define_tables,
    define_views,
    dictionary_of_an_empty_warehouse,
    in_order_of_use,
    sql_files,
    tables_of_calls,
)

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = """
SELECT schema_name, table_name, column_name FROM duckdb_columns()
WHERE NOT internal AND database_name = 'memory' ORDER BY schema_name, table_name, column_index
"""
VIEWS = "SELECT view_name FROM duckdb_views() WHERE NOT internal"


def age(folder: Path) -> None:
    """Make the warehouse one of an earlier version, which had other tables and other macros.

    It had no schema `facts`: tables of what calls consist of had `call_id` and `call_no`.
    """
    with duckdb.connect(str(folder / "w.duckdb")) as con:
        con.execute("UPDATE runs SET tables_sha256 = 'of before'")
        for (view,) in con.execute(VIEWS).fetchall():
            con.execute(f'DROP VIEW "{view}"')
        for file in tables_of_calls():
            con.execute(
                f"CREATE TABLE main.{file.name} AS SELECT calls.call_id, stored.* "
                f"FROM {file.table} AS stored INNER JOIN calls USING (call_no)"
            )
        con.execute("DROP SCHEMA facts CASCADE")
        con.execute("ALTER TABLE turns DROP COLUMN pitch_iqr_st")
        con.execute("ALTER TABLE quotes ADD COLUMN colour VARCHAR DEFAULT 'blue'")
        con.execute("CREATE TABLE schema_migrations (version INTEGER)")
        con.execute("CREATE MACRO of_before(x) AS x + 1")


def test_views_are_written_anew_where_their_sql_has_changed(once: Once, tmp_path: Path) -> None:
    """And only there: writing them takes as long as loading a night's calls."""
    once.copied("filled", fill, tmp_path)
    for digest, is_left in (("sql_sha256", True), ("'of before'", False)):
        with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
            con.execute("CREATE OR REPLACE VIEW of_before AS SELECT 1")
            con.execute(f"UPDATE runs SET sql_sha256 = {digest}")
        assert put(tmp_path, rich("later"), rich(f"later-{is_left}")).rebuilt
        views = rows(tmp_path, "SELECT view_name FROM duckdb_views() WHERE NOT internal")
        assert (("of_before",) in views) is is_left
        assert ("call_summary",) in views


def age_far(folder: Path) -> None:
    """Make it one of before there were digests of tables, reviews and noted landing folders."""
    age(folder)
    with duckdb.connect(str(folder / "w.duckdb")) as con:
        con.execute("ALTER TABLE runs DROP COLUMN tables_sha256")
        con.execute("DROP TABLE landing.folder")
        con.execute("DROP TABLE landing.review_files")
        con.execute("DROP TABLE landing.evaluation_files")
        con.execute("DROP TABLE turn_feelings")


OUTCOME = OutcomeLine(2, "nps", "c7", occurred_at=datetime(2030, 1, 1), value=9.0)


def fill(tmp_path: Path) -> None:
    twice = rich("a", audio="other", path="/2/a.wav")
    for analysis in (rich("a"), twice, rich("b"), without_analysis("d")):
        landing.write(analysis, tmp_path / "landing")
    at = datetime(2030, 1, 2, tzinfo=UTC)
    write_outcomes([OUTCOME], tmp_path / "landing", source="o.csv", loaded_at=at)
    cue = ("cue", "fear_anxiety", None, 3.2, 9.0, "affective")
    review = Review(at, "kim", "b", f"analyses/{sha('b')}", *cue, "right", None, "heard it")
    write_review(review, tmp_path / "landing")
    write_evaluation(evaluation(rich("b"), "heard it"), tmp_path / "landing")
    put(tmp_path)


@pytest.fixture
def filled(once: Once, tmp_path: Path) -> Path:
    """Calls of more than one status, two of one name, an outcome and a review."""
    return once.copied("filled", fill, tmp_path)


def age_without_evaluations(folder: Path) -> None:
    """Make it one of before evaluations were rows."""
    with duckdb.connect(str(folder / "w.duckdb")) as con:
        con.execute("UPDATE runs SET tables_sha256 = 'of before'")
        for view in ("evaluation_answers", "evaluation_detail"):
            con.execute(f"DROP VIEW {view}")
        con.execute("DROP TABLE evaluations")
        con.execute("DROP TABLE landing.evaluation_files")


def test_a_warehouse_of_before_there_were_evaluations_is_still_asked(filled: Path) -> None:
    age_without_evaluations(filled)
    assert ask(filled / "w.duckdb", "SELECT count(*) FROM reviews").rows == ((1,),)


def test_a_warehouse_of_few_calls_is_small_and_built_anew_where_it_is_of_many(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB's usual blocks are of 256 KiB, and some hundred columns have one each."""
    before = contents(filled)
    assert (filled / "w.duckdb").stat().st_size < 3_000_000
    monkeypatch.setattr("warmline.database._FEW_BYTES", 0)
    put(filled, rich("later"))
    with open_for_reading(filled / "w.duckdb") as con:
        assert not has_small_blocks(con)
    after = contents(filled)
    assert [len(after[name]) for name in ("calls", "outcome_calls", "review_detail")] == [5, 1, 1]
    assert all(set(before[name]) <= set(after[name]) for name in ("turns", "words", "reviews"))
    assert put(filled, rich("another")).unchanged == 5


@pytest.mark.parametrize("age", [age, age_far, age_without_evaluations])
def test_a_warehouse_of_other_tables_is_built_anew_with_the_same_rows(
    filled: Path, age: Callable[[Path], None]
) -> None:
    before = contents(filled)
    assert [len(before[name]) for name in ("calls", "outcome_calls", "review_detail")] == [4, 1, 1]
    age(filled)
    report = put(filled)
    assert (report.rebuilt, report.loaded) == (True, 4)
    assert contents(filled) == before
    assert rows(filled, "SELECT run_id, loaded FROM runs") == [(1, 4), (2, 4)]
    assert put(filled).loaded == 0


def age_a_little(folder: Path) -> None:
    """Make it one that has the schema of today, and yet is built anew."""
    with duckdb.connect(str(folder / "w.duckdb")) as con:
        con.execute("UPDATE runs SET tables_sha256 = 'of before'")


@pytest.mark.parametrize("age", [age, age_a_little])
def test_what_cannot_be_read_any_more_stays_when_tables_are_built_anew(
    filled: Path, age: Callable[[Path], None]
) -> None:
    tables = ("calls", "turns", "words", "metrics", "opportunities", "outcomes", "reviews")
    tables += ("evaluations",)
    lost = ("call_no", "pitch_iqr_st")  # the warehouse of before had no such column
    kept = f"SELECT COLUMNS(c -> c NOT IN {lost}) FROM {{}} ORDER BY ALL"
    before = {table: rows(filled, kept.format(table)) for table in tables}
    age(filled)
    damaged = [landing.write(rich("b"), filled / "landing")]
    damaged += (filled / "landing" / "outcomes").rglob("*.parquet")
    damaged += (filled / "landing" / "reviews").rglob("*.json")
    damaged += (filled / "landing" / "evaluations").rglob("*.json")
    for path in damaged:
        path.write_bytes(path.read_bytes()[:-50])
    report = put(filled, rich("new"))
    assert len(damaged) == 4
    assert set(report.unreadable) == {str(p.relative_to(filled / "landing")) for p in damaged}
    assert rows(filled, "SELECT call_id FROM calls WHERE call_id = 'new'") == [("new",)]
    for table in tables:
        now = [row for row in rows(filled, kept.format(table)) if row[0] != "new"]
        assert now == before[table]


def test_what_people_said_and_is_erased_while_it_is_read_is_not_kept_as_damaged(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [filled / "landing" / kind for kind in ("outcomes", "reviews", "evaluations")]
    listing = publishing.evaluation_files

    def erased_then(folder: Path) -> list[LandedFile]:
        listed = listing(folder)
        for kind in said:
            shutil.rmtree(kind, ignore_errors=True)
        return listed

    age_a_little(filled)
    monkeypatch.setattr(publishing, "evaluation_files", erased_then)
    assert put(filled).unreadable == {}
    counts = ", ".join(f"(SELECT count(*) FROM {kind.name})" for kind in said)
    assert rows(filled, f"SELECT {counts}") == [(0, 0, 0)]


def test_a_call_is_shown_from_a_warehouse_of_before(filled: Path) -> None:
    """Its tables had the same names and `call_id`: no night has to come first."""
    before = read_page(filled / "w.duckdb", "b")
    age(filled)
    now = read_page(filled / "w.duckdb", "b")
    assert before.turns and before.metrics
    told = [{name: turn[name] for name in ("call_id", "turn_index", "text")} for turn in now.turns]
    assert told == [
        {name: turn[name] for name in ("call_id", "turn_index", "text")} for turn in before.turns
    ]
    assert now.metrics == before.metrics


def test_what_earlier_measures_meant_and_the_weights_stay(tmp_path: Path) -> None:
    old, new = (
        replace(rich(c), metric_versions={"dead_air_s": n}) for c, n in (("o", 1), ("n", 2))
    )
    for analysis in (old, new):
        landing.write(analysis, tmp_path / "landing")
    place, weights = (tmp_path / "landing", tmp_path / "w.duckdb"), ProfileSettings()
    definitions = definitions_of([old])
    weights = weights.model_copy(update={"min_reference_calls": 7})
    publish(*place, definitions, weights)
    second = [replace(d, version=2) if d.name == "dead_air_s" else d for d in definitions]
    publish(*place, second)
    before = contents(tmp_path)
    age(tmp_path)
    publish(*place, second)
    assert contents(tmp_path) == before
    assert rows(
        tmp_path,
        "SELECT version FROM metric_detail WHERE name = 'dead_air_s' "
        "AND definition IS NOT NULL ORDER BY 1",
    ) == [(1,), (2,)]
    assert rows(
        tmp_path, "SELECT value FROM profile_settings WHERE name = 'min_reference_calls'"
    ) == [(7.0,)]


def test_a_call_that_has_no_file_any_more_is_not_lost_by_building_anew(filled: Path) -> None:
    age(filled)
    landing.remove(filled / "landing", [f"analyses/{sha('b')}"])
    with pytest.raises(WarehouseError, match=r"1 of its calls \(b\) have no analysis"):
        put(filled)
    assert rows(filled, "SELECT count(*) FROM calls") == [(4,)]
    put(filled, allow_loss=True)
    assert rows(filled, "SELECT count(*) FROM calls") == [(3,)]


def test_comments_alone_are_written_without_building_anew(filled: Path) -> None:
    said = "SELECT comment FROM duckdb_views() WHERE view_name = 'turns'"
    before = rows(filled, said)
    with duckdb.connect(str(filled / "w.duckdb")) as con:
        con.execute("COMMENT ON VIEW turns IS 'as it was'")
        con.execute("UPDATE runs SET sql_sha256 = 'of before'")
    assert put(filled).loaded == 0
    assert rows(filled, said) == before
    file = SqlFile("t", "-- t\nCREATE TABLE t (a INTEGER);\nCOMMENT ON TABLE t IS 'x';\n")
    assert file.without_comments.text == "CREATE TABLE t (a INTEGER);\n"


def test_a_warehouse_of_a_newer_warmline_is_left_alone(filled: Path) -> None:
    with duckdb.connect(str(filled / "w.duckdb")) as con:
        con.execute("UPDATE runs SET warmline_version = '10.0.0'")
    with pytest.raises(WarehouseError, match=r"published by warmline 10\.0\.0, and this is"):
        put(filled, rich("c"))


def test_views_are_made_after_what_they_use() -> None:
    files = [SqlFile("a", "SELECT * FROM b"), SqlFile("b", "SELECT * FROM c"), SqlFile("c", "")]
    assert [file.name for file in in_order_of_use(files)] == ["c", "b", "a"]


def test_every_table_view_and_column_has_a_comment() -> None:
    with duckdb.connect() as con:
        define_tables(con)
        define_views(con)
        bare = con.execute(
            "SELECT table_name, column_name FROM duckdb_columns() "
            "WHERE NOT internal AND database_name = 'memory' AND coalesce(comment, '') = '' "
            "AND schema_name <> 'facts' "  # people ask the view of the same name
            "UNION ALL SELECT table_name, '' FROM duckdb_tables() "
            "WHERE coalesce(comment, '') = '' AND schema_name <> 'facts' "
            "UNION ALL SELECT view_name, '' FROM duckdb_views() "
            "WHERE NOT internal AND coalesce(comment, '') = ''"
        ).fetchall()
    assert bare == []


def test_people_meet_one_key_of_a_call() -> None:
    with duckdb.connect() as con:
        define_tables(con)
        define_views(con)
        columns: dict[tuple[str, str], list[str]] = {}
        for schema, table, column in con.execute(COLUMNS).fetchall():
            columns.setdefault((schema, table), []).append(column)
    numbered = {table for (schema, table), names in columns.items() if "call_no" in names}
    stored = {table for schema, table in columns if schema == "facts"}
    assert stored == {file.name for file in tables_of_calls()} and len(stored) == 22
    for table in stored:
        number, *rest = columns["facts", table]
        assert number == "call_no" and "call_id" not in rest
        assert columns["main", table] == ["call_id", *rest]
    # `calls` tells which is which; the others count blocks of calls, or are the search index.
    assert numbered - stored == {"calls", "profile_totals", "postings"}
    assert "call_no" not in columns["main", "call_summary"]


def test_sql_that_people_read_joins_by_call_id() -> None:
    numbered = {
        file.name
        for kind in ("queries", "checks")
        for file in sql_files(kind)
        if "call_no" in file.text or "facts." in file.text
    }
    # What reads the search index, and what checks that numbers are unique.
    assert numbered == {"phrase", "every_call_can_be_searched", "keys_are_unique"}


def test_queries_that_join_by_call_id_find_the_same_rows(filled: Path) -> None:
    """As people saved them when each table had the call_id itself."""
    joined = (
        "SELECT t.call_id, t.turn_index, count(*) FROM turns AS t "
        "INNER JOIN words AS w ON w.call_id = t.call_id AND w.turn_index = t.turn_index "
        "WHERE t.call_id {} GROUP BY ALL ORDER BY ALL"
    )
    one, all_of_them = rows(filled, joined.format("= 'b'")), rows(filled, joined.format("<> ''"))
    assert one and one == [row for row in all_of_them if row[0] == "b"]
    known = rows(filled, "SELECT call_id FROM calls WHERE status = 'analyzed' ORDER BY 1")
    assert [(call_id,) for call_id in dict.fromkeys(row[0] for row in all_of_them)] == known
    assert len(known) == 3


def test_the_dictionary_is_up_to_date() -> None:
    readme = (ROOT / "warehouse" / "README.md").read_text(encoding="utf-8")
    assert readme == dictionary_of_an_empty_warehouse(), (
        "write it anew: python -m warmline.warehouse.tables > warehouse/README.md"
    )


def test_every_sql_file_of_checks_and_queries_says_what_it_is_for() -> None:
    for kind in ("checks", "queries"):
        assert all(file.header for file in sql_files(kind))
