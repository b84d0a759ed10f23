"""Publishing fails well: what is there is whole, and never in a reader's way."""

import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import duckdb
import pytest

from support.factories import definitions_of
from support.forked import die_at, ended
from support.warehouses import put, rich, rows
from warmline import landing
from warmline.analysis import Metric
from warmline.errors import WarehouseError
from warmline.files import exclusive
from warmline.warehouse import load, publishing
from warmline.warehouse import swap as swapping
from warmline.warehouse.publishing import publish
from warmline.warehouse.tables import check_warehouse


def test_an_analysis_that_fits_no_table_is_refused_by_the_tables_name(tmp_path: Path) -> None:
    put(tmp_path, rich("a"))
    said_twice = rich("b")
    assert said_twice.conversation is not None
    no_role = replace(said_twice.conversation, roles=said_twice.conversation.roles[:1] * 2)
    with pytest.raises(WarehouseError, match=r"Map keys must be unique|cannot fill the table"):
        put(tmp_path, replace(said_twice, conversation=no_role))
    assert rows(tmp_path, "SELECT call_id FROM calls") == [("a",)]


def test_a_failed_check_keeps_yesterdays_warehouse_and_says_why(tmp_path: Path) -> None:
    put(tmp_path, rich("a"))
    before = (tmp_path / "w.duckdb").read_bytes()
    with pytest.raises(WarehouseError, match=r"what was there stays: check missing_values_say_why"):
        put(tmp_path, rich("b", metrics=[Metric("dead_air_s", None, None)]))
    assert (tmp_path / "w.duckdb").read_bytes() == before
    assert sorted(p.name for p in tmp_path.glob("w.duckdb*")) == ["w.duckdb", "w.duckdb.lock"]


def test_a_file_that_is_no_warehouse_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "w.duckdb").write_text("my thesis")
    with pytest.raises(WarehouseError, match="not a warehouse"):
        put(tmp_path, rich())
    assert (tmp_path / "w.duckdb").read_text() == "my thesis"
    (tmp_path / "w.duckdb").unlink()
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("CREATE TABLE thesis (page INTEGER)")
    with pytest.raises(WarehouseError, match="not made by warmline"):
        put(tmp_path)
    assert rows(tmp_path, "SHOW TABLES") == [("thesis",)]


def test_nothing_is_left_beside_a_warehouse_whatever_it_is_called(tmp_path: Path) -> None:
    """A pattern that meant other names would leave a copy, or remove another warehouse's."""
    beside = tmp_path / "ca*.duckdb.building-1"
    (tmp_path / "calls.duckdb.building-1").mkdir()
    beside.mkdir()
    landing.write(rich("a"), tmp_path / "landing")
    for name in ("ca*.duckdb", "calls[1].duckdb"):
        publish(tmp_path / "landing", tmp_path / name, definitions_of([rich("a")]))
    left = {path.name for path in tmp_path.glob("*building*")}
    assert left == {"calls.duckdb.building-1"}


def test_a_second_publishing_waits_for_the_first_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two nights that end at the same time: what the second has analyzed is published, too."""
    with ExitStack() as first:
        first.enter_context(exclusive(tmp_path / "w.duckdb.lock", "publishing this warehouse"))
        with monkeypatch.context() as impatient:
            impatient.setattr(publishing, "_WAIT_S", 0.0)
            with pytest.raises(WarehouseError, match=r"process \d+ on .* is publishing"):
                put(tmp_path, rich())
        Timer(0.2, first.pop_all().close).start()
        put(tmp_path, rich())
    assert rows(tmp_path, "SELECT count(*) FROM calls") == [(1,)]


def test_a_reader_keeps_what_it_opened_while_a_new_one_sees_the_new(
    sound: Path, tmp_path: Path
) -> None:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM calls").fetchall() == [(3,)]
        assert published_elsewhere(tmp_path, "c") == 0
        assert reader.execute("SELECT count(*) FROM calls").fetchall() == [(3,)]
        assert reader.execute("SELECT count(*) FROM words").fetchall() == [(44,)]
        seen = subprocess.run(
            [sys.executable, "-c", COUNT, str(tmp_path / "w.duckdb")],
            capture_output=True,
            text=True,
            check=True,
        )
        assert seen.stdout.split() == ["a", "b", "broken", "c"]


COUNT = """
import sys, duckdb
con = duckdb.connect(sys.argv[1], read_only=True)
print(*[name for (name,) in con.execute("SELECT call_id FROM calls ORDER BY 1").fetchall()])
"""

#: Functions of the library's own, at whose call of this number a publishing is killed.
POINTS: dict[str, tuple[Any, str, int]] = {
    "copying": (swapping.shutil, "copyfile", 1),
    "commenting": (publishing, "comment_tables", 1),
    "listing": (publishing, "note_files", 1),
    "removing": (load, "_batches", 1),
    "staging": (load, "_expect_all", 1),
    "loading": (load, "_counted", 1),
    "defining": (publishing, "note_definitions", 1),
    "viewing": (publishing, "define_views", 1),
    "noting": (publishing, "note_reviews", 1),
    "indexing": (publishing, "index_turns", 1),
    "summing": (publishing, "summarize", 1),
    "summed": (publishing, "differs", 1),
    "checking": (publishing, "_require_passing", 1),
    "syncing": (swapping, "sync", 1),
    "swapping": (Path, "replace", 1),
    "swapped": (swapping, "sync", 2),
}


def published_elsewhere(folder: Path, call_id: str, point: str | None = None) -> int:
    """How another process ends that publishes one more call, and is killed at this point."""

    def publish_one() -> None:
        landing.write(rich(call_id), folder / "landing")
        if point is not None:
            die_at(*POINTS[point])
        publish(folder / "landing", folder / "w.duckdb", definitions_of([rich("a")]))

    return ended(publish_one)


def as_of_other_sql(sound: Path, tmp_path: Path) -> bytes:
    """Copy a warehouse here whose views are written anew at the next publishing; its bytes."""
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("UPDATE runs SET sql_sha256 = 'of before'")
    return (tmp_path / "w.duckdb").read_bytes()


def require_today(tmp_path: Path) -> None:
    """What is published after all kills has the call that they landed, and nothing is left over."""
    put(tmp_path)
    today = [("a",), ("b",), ("broken",), ("c",)]
    assert rows(tmp_path, "SELECT call_id FROM calls ORDER BY call_id") == today
    assert all(result.passed for result in check_warehouse(tmp_path / "w.duckdb"))
    assert sorted(p.name for p in tmp_path.glob("w.duckdb*")) == ["w.duckdb", "w.duckdb.lock"]


def test_killed_at_any_point_the_warehouse_is_whole_and_the_next_run_goes_on(
    sound: Path, tmp_path: Path
) -> None:
    """Each is the run after the one before it; a run that goes well comes after all of them.

    In the slow test below it comes after each of them.
    """
    yesterday = as_of_other_sql(sound, tmp_path)
    for point in POINTS:
        assert published_elsewhere(tmp_path, "c", point) == -9, point
        if point != "swapped":
            assert (tmp_path / "w.duckdb").read_bytes() == yesterday, point
    assert (tmp_path / "w.duckdb").read_bytes() != yesterday
    require_today(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_after_each_kill_the_next_run_completes(sound: Path, tmp_path: Path, point: str) -> None:
    yesterday = as_of_other_sql(sound, tmp_path)
    assert published_elsewhere(tmp_path, "c", point) == -9
    assert ((tmp_path / "w.duckdb").read_bytes() == yesterday) == (point != "swapped")
    require_today(tmp_path)


def test_killed_on_the_first_night_there_is_no_warehouse_yet(tmp_path: Path) -> None:
    assert published_elsewhere(tmp_path, "a", "checking") == -9
    assert not (tmp_path / "w.duckdb").exists()
    assert put(tmp_path).loaded == 1


class _Watched:
    """A connection that notes which statements compare each row with each of another table."""

    def __init__(self, con: duckdb.DuckDBPyConnection, slow: list[str]) -> None:
        self._con = con
        self._slow = slow

    def __getattr__(self, name: str) -> Any:
        return getattr(self._con, name)

    def __enter__(self) -> "_Watched":
        return self

    def __exit__(self, *error: object) -> None:
        self._con.__exit__(*error)

    def execute(self, sql: str, *given: Any) -> Any:
        statements = duckdb.extract_statements(sql)
        explained = {duckdb.StatementType.CREATE, duckdb.StatementType.INSERT}
        if len(statements) == 1 and statements[0].type in {*explained, duckdb.StatementType.SELECT}:
            plan = self._con.execute(f"EXPLAIN {sql}", *given).fetchall()[0][1]
            if "BLOCKWISE_NL_JOIN" in plan:
                self._slow.append(sql)
        return self._con.execute(sql, *given)


def test_no_statement_of_a_night_compares_each_call_with_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes no time with six calls would take an hour with a million."""
    put(tmp_path, rich("a"))
    slow: list[str] = []
    build = publishing.open_for_building
    monkeypatch.setattr(
        publishing, "open_for_building", lambda *a, **k: _Watched(build(*a, **k), slow)
    )
    put(tmp_path, rich("a"), rich("b"))
    assert slow == []
