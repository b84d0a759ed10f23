"""Publishing fails well: what is there is whole, and never in a reader's way."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from support.warehouses import put, rich, rows
from warmline.errors import WarehouseError
from warmline.files import exclusive
from warmline.metrics import Metric
from warmline.warehouse import check_warehouse

ROOT = Path(__file__).resolve().parents[1]


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


def test_a_second_publishing_at_the_same_time_is_refused(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "w.duckdb.lock", "publishing this warehouse"),
        pytest.raises(WarehouseError, match=r"process \d+ on .* is publishing"),
    ):
        put(tmp_path, rich())


def test_a_reader_keeps_what_it_opened_while_a_new_one_sees_the_new(
    sound: Path, tmp_path: Path
) -> None:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as reader:
        assert reader.execute("SELECT count(*) FROM calls").fetchall() == [(3,)]
        child = subprocess.run(
            [sys.executable, "-c", PUBLISHER, "none", str(tmp_path), "c"],
            cwd=ROOT / "tests",
            check=True,
        )
        assert child.returncode == 0
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

#: Publishes one more call, killed at a named point by a patched function of the library's own.
PUBLISHER = """
import os, signal, sys
from pathlib import Path
from warmline import landing
from warmline.warehouse import publishing, load, swap as swapping
from support.factories import definitions_of
from support.warehouses import rich
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
def before(module, name, calls=1):
    original, left = getattr(module, name), [calls]
    def patched(*a, **k):
        left[0] -= 1
        return die() if left[0] == 0 else original(*a, **k)
    setattr(module, name, patched)
point, folder, call_id = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
points = {
    "none": lambda: None,
    "copying": lambda: before(swapping.shutil, "copyfile"),
    "commenting": lambda: before(publishing, "comment_tables"),
    "listing": lambda: before(publishing, "note_files"),
    "removing": lambda: before(load, "_batches"),
    "staging": lambda: before(load, "_expect_all"),
    "loading": lambda: before(load, "_counted"),
    "defining": lambda: before(publishing, "note_definitions"),
    "viewing": lambda: before(publishing, "define_views"),
    "noting": lambda: before(publishing, "note_reviews"),
    "indexing": lambda: before(publishing, "index_turns"),
    "summing": lambda: before(publishing, "summarize"),
    "summed": lambda: before(publishing, "differs"),
    "checking": lambda: before(publishing, "_require_passing"),
    "syncing": lambda: before(swapping, "sync"),
    "swapping": lambda: before(Path, "replace"),
    "swapped": lambda: before(swapping, "sync", 2),
}
landing.write(rich(call_id), folder / "landing")
points[point]()
publishing.publish(folder / "landing", folder / "w.duckdb", definitions_of([rich("a")]))
"""
POINTS = re.findall(r'^    "(\w+)": lambda', PUBLISHER, re.MULTILINE)[1:]


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point_the_warehouse_is_whole_and_the_next_run_completes(
    sound: Path, tmp_path: Path, point: str
) -> None:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    child = subprocess.run(
        [sys.executable, "-c", PUBLISHER, point, str(tmp_path), "c"], cwd=ROOT / "tests"
    )
    assert child.returncode == -9
    yesterday = [("a",), ("b",), ("broken",)]
    today = [("a",), ("b",), ("broken",), ("c",)]
    names = rows(tmp_path, "SELECT call_id FROM calls ORDER BY call_id")
    assert names == (today if point == "swapped" else yesterday)
    assert all(result.passed for result in check_warehouse(tmp_path / "w.duckdb"))
    put(tmp_path)
    assert rows(tmp_path, "SELECT call_id FROM calls ORDER BY call_id") == today
    assert sorted(p.name for p in tmp_path.glob("w.duckdb*")) == ["w.duckdb", "w.duckdb.lock"]


def test_killed_on_the_first_night_there_is_no_warehouse_yet(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", PUBLISHER, "checking", str(tmp_path), "a"], cwd=ROOT / "tests"
    )
    assert not (tmp_path / "w.duckdb").exists()
    assert put(tmp_path).loaded == 1
