"""A query cannot write, whatever it says, and ends when its time or memory is up."""

import io
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from threading import Thread
from time import perf_counter, sleep
from zoneinfo import ZoneInfo

import duckdb
import pytest

from support.factories import definitions_of
from support.forked import die, ended
from support.marked import a_key, fill, marked
from support.warehouses import put, rich, rows
from warmline.database import open_for_reading
from warmline.encryption import Key, current_key, key_environment
from warmline.errors import QueryError, WarehouseError
from warmline.query import questions
from warmline.query.process import reading
from warmline.query.questions import ask
from warmline.warehouse.publishing import publish
from warmline.warehouse.swap import change_key
from warmline.warehouse.tables import check_warehouse


@pytest.fixture(scope="module", params=["in clear", "encrypted"])
def template(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A folder with two calls, landed and published, and its key."""
    key = a_key() if request.param == "encrypted" else ""
    folder = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WARMLINE_KEY", key)
        fill(folder)
    return folder, key


@pytest.fixture
def place(template: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder, key = template
    monkeypatch.setenv("WARMLINE_KEY", key)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path


WRITING = [
    "COPY (SELECT 1) TO '{own}' (FORMAT csv, USE_TMP_FILE false)",
    "COPY (SELECT 'x'::BLOB AS b) TO '{own}.wal' (FORMAT blob)",
    "COPY (SELECT 1) TO '{own}.wal.checkpoint' (FORMAT csv)",
]
#: Ways to ask for what the same statement would do; what it would write to decides nothing.
EXPLAINED = ("EXPLAIN ", "EXPLAIN ANALYZE ", "/* é */ explain (ANALYZE, FORMAT json) ")


@pytest.mark.parametrize("writing", WRITING)
def test_no_query_writes_to_the_warehouse_or_beside_it(place: Path, writing: str) -> None:
    warehouse = place / "w.duckdb"
    before, around = warehouse.read_bytes(), sorted(p.name for p in place.iterdir())
    copy = writing.format(own=warehouse)
    for way in ("", *(EXPLAINED if writing == WRITING[0] else ())):
        with pytest.raises(QueryError, match="not allowed"):
            ask(warehouse, f"{way}{copy}")
    with reading(warehouse) as con, pytest.raises(duckdb.PermissionException):
        con.execute(copy)  # nor could DuckDB itself
    assert warehouse.read_bytes() == before
    assert sorted(p.name for p in place.iterdir()) == around
    assert ask(warehouse, "SELECT count(*) FROM calls").rows == ((2,),)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN ANALYZE, and EXPLAIN with options, are not allowed"),
        ("EXPLAIN DELETE FROM calls", "EXPLAIN DELETE is not allowed"),
        ("CALL pragma_version()", "CALL is not allowed"),
        ("PREPARE x AS SELECT 1", "PREPARE is not allowed"),
    ],
)
def test_only_select_and_the_explanation_of_one_are_asked(week: Path, sql: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        ask(week, sql)


def test_a_select_is_explained_and_a_table_described(week: Path) -> None:
    explained = ask(week, "-- why is it slow? é\nEXPLAIN SELECT agent_id FROM calls")
    assert "agent_id" in explained.rows[0][1]
    assert ("call_id",) in [row[:1] for row in ask(week, "DESCRIBE calls").rows]


FORBIDDEN = """
import sys
from warmline.processes import forbid_writing
path = sys.argv[1]
there = open(path, "r+")
forbid_writing()
def tried(what):
    try:
        what()
    except OSError as e:
        return e.errno
def grow():
    there.seek(0, 2); there.write("x"); there.flush()
import os
print(open(path).read())
print(tried(grow), tried(lambda: open(path, "w")), tried(lambda: os.unlink(path)),
    tried(lambda: open(path + "2", "w")))
os._exit(0)  # what is in the buffer cannot be written
"""


def test_the_system_lets_the_process_of_a_query_write_nothing(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_text("kept")
    done = subprocess.run(
        [sys.executable, "-u", "-c", FORBIDDEN, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    text, tried = done.stdout.splitlines()
    grown, *opened = tried.split()
    assert (text, grown) == ("kept", "27")  # EFBIG
    if opened == ["None"] * 3:
        pytest.skip("this kernel has no Landlock")
    assert opened == ["13"] * 3  # EACCES
    assert path.read_text() == "kept"
    assert not (tmp_path / "w2").exists()


def test_the_process_of_a_query_leaves_no_core_file_and_has_bounds() -> None:
    script = (
        "import ctypes, resource; from warmline.processes import *;"
        "leave_no_core_file(); limit_memory_and_time(2**30, 7);"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE)[1],"
        "resource.getrlimit(resource.RLIMIT_CPU)[1]); bytearray(2**31)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["0", "0", "7"]
    assert "MemoryError" in done.stderr


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT range(100000000)",  # one value, made without a pause: nothing interrupts it
        "SELECT max(levenshtein(repeat('a', 60000) || i, repeat('b', 60000))) FROM range(200) t(i)",
    ],
)
def test_a_query_that_nothing_interrupts_is_killed(week: Path, sql: str) -> None:
    # Of all children that have ended; one of another test may have been larger.
    largest = max(4 * 2**20, 1 + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)  # KiB
    begun = perf_counter()
    with pytest.raises(QueryError, match=r"more than 0\.5 s and was stopped|more than 4 GB"):
        ask(week, sql, timeout_s=0.5)
    assert perf_counter() - begun < 50  # alone they take minutes, or 8 GB
    questions._server.end()  # with what it has forked counts as a child of this process
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < largest


def test_an_answer_that_would_fill_the_memory_is_refused(
    week: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "_LARGEST_ANSWER_BYTES", 5_000_000)
    with pytest.raises(QueryError, match="larger than 5 MB: ask for fewer"):
        ask(week, "SELECT repeat('a', 10000) FROM range(1000)")
    assert len(ask(week, "SELECT repeat('a', 10000) FROM range(100)").rows) == 100


def test_what_a_process_sends_is_values_and_never_code() -> None:
    with pytest.raises(pickle.UnpicklingError, match=r"posix\.system is no value"):
        questions._Values(io.BytesIO(pickle.dumps(os.system))).load()


def test_values_of_every_type_arrive_as_they_are(week: Path) -> None:
    sql = """
        SELECT now() > TIMESTAMPTZ '2020-01-01', TIMESTAMPTZ '2020-01-01', 1.5::DECIMAL(4, 2),
        DATE '2026-01-02', TIME '10:00', INTERVAL 1 DAY, uuid() IS NOT NULL, uuid(), 'x'::BLOB,
        {'a': [1, NULL]}, MAP {'k': 1}, 170141183460469231731687303715884105727, NULL, 'ü'"""
    with reading(week) as con:
        expected = con.execute(sql).fetchone()
    assert expected is not None
    (found,) = ask(week, sql).rows
    assert [*found[:7], *found[8:]] == [*expected[:7], *expected[8:]]


def test_a_query_is_told_where_the_key_is_and_no_other_secret() -> None:
    environment = {
        "WARMLINE_KEY_ENV": "HOUSE_KEY",
        "HOUSE_KEY": "k",
        "AGENTS_KEY": "a",
        "AWS_SECRET_ACCESS_KEY": "s",
        "LANG": "C",
    }
    assert key_environment(environment, "LANG") == {
        "WARMLINE_KEY_ENV": "HOUSE_KEY",
        "HOUSE_KEY": "k",
        "LANG": "C",
    }


def test_many_threads_ask_at_once(week: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: ask(week, "SELECT $i", {"i": i}).rows, range(12)))
    assert answers == [((i,),) for i in range(12)]


def test_queries_share_nothing_but_what_was_imported(week: Path) -> None:
    asked = "SELECT uuid(), random()"
    first, second = (ask(week, asked).rows[0] for _ in range(2))
    assert not set(first) & set(second)  # a fork of one generator would give the same numbers
    process = questions._server._process
    assert process is not None
    running = Path(f"/proc/{process.pid}")
    assert len([*(running / "task").iterdir()]) == 1  # a fork would lack other threads
    opened = {str(each.readlink()).partition(":")[0] for each in (running / "fd").iterdir()}
    assert opened == {"socket", "anon_inode", "/dev/null"}


def test_a_warehouse_is_found_from_the_folder_of_the_one_that_asks(
    week: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(week, "SELECT 1")
    monkeypatch.chdir(week.parent)
    assert ask(Path(week.name), "SELECT 2").rows == ((2,),)


def test_a_query_starts_another_server_where_one_has_ended(week: Path) -> None:
    ask(week, "SELECT 1")
    for end in (lambda process: process.kill(), lambda _: questions._server.end()):
        end(questions._server._process)
        assert ask(week, "SELECT 2").rows == ((2,),)


def test_what_other_threads_ask_is_answered_when_one_is_interrupted(week: Path) -> None:
    """Whoever is interrupted while a query is handed over leaves the server, and asks another."""
    slow = "SELECT count(*) FROM range(60000) a, range(20000) b WHERE a.range % 7 = b.range % 5"
    ask(week, "SELECT 1")
    process = questions._server._process
    assert process is not None
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, week, slow, None)
        while not _forks_of(process.pid):
            sleep(0.01)
        with questions._server._lock:  # once it is handed over
            questions._server._leave()
        assert ask(week, "SELECT 1").rows == ((1,),)
        assert asked.result().rows[0][0] > 0


def test_a_time_of_another_zone_is_asked_for_as_utc(week: Path) -> None:
    berlin = datetime(2026, 7, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    ((at,),) = ask(week, "SELECT $at", {"at": berlin}).rows
    assert at == datetime(2026, 6, 30, 22)


def test_a_system_that_forks_no_process_starts_one_for_each_query(
    week: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "_FORKS", False)
    monkeypatch.setattr(questions, "_server", None)
    assert ask(week, "SELECT $a", {"a": 1}).rows == ((1,),)


def test_a_fork_of_this_process_asks_a_server_of_its_own(week: Path) -> None:
    ask(week, "SELECT 1")
    ours = questions._server._process
    assert ended(lambda: ask(week, "SELECT 1") and questions._server.end()) == 0
    assert ours is questions._server._process and ours and ours.poll() is None


def test_nothing_is_left_when_the_one_that_asks_is_killed(week: Path, tmp_path: Path) -> None:
    def ask_and_die() -> None:
        questions.get_ready()
        endless = "SELECT count(*) FROM range(1000000000) AS a, range(1000000000) AS b"
        Thread(target=ask, args=(week, endless), daemon=True).start()
        process = questions._server._process
        assert process is not None
        while not (forks := _forks_of(process.pid)):
            sleep(0.01)
        (tmp_path / "pids").write_text(f"{process.pid} {forks}")
        die()

    assert ended(ask_and_die) == -signal.SIGKILL
    left = [Path("/proc", pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(left) == 2
    until = perf_counter() + 20
    while any(map(_runs, left)):
        assert perf_counter() < until
        sleep(0.01)


def _forks_of(server: int) -> str:
    return Path(f"/proc/{server}/task/{server}/children").read_text()


def _runs(process: Path) -> bool:
    """Whether it runs: one that has ended may wait for whoever takes in orphans."""
    with suppress(OSError):
        return process.joinpath("stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_many_threads_read_at_once_in_this_process(week: Path) -> None:
    def count(_: int) -> object:
        with reading(week) as con:
            return con.execute("SELECT count(*) > 0 FROM calls").fetchone()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(count, range(40))) == {(True,)}


def test_a_process_that_reads_yesterdays_file_opens_todays(sound: Path, tmp_path: Path) -> None:
    shutil.copytree(sound, tmp_path, dirs_exist_ok=True)
    counted = "SELECT count(*) FROM calls"
    with open_for_reading(tmp_path / "w.duckdb") as yesterday:
        assert yesterday.execute(counted).fetchone() == (3,)
        put(tmp_path, rich("c"))
        with open_for_reading(tmp_path / "w.duckdb") as today:
            assert today.execute(counted).fetchone() == (4,)
        assert ask(tmp_path / "w.duckdb", counted).rows == ((4,),)
        assert yesterday.execute(counted).fetchone() == (3,)


#: Changes a warehouse and dies before the log is made part of it, as a forged log would be.
FORGE = """
import os, sys, duckdb
con = duckdb.connect(config={"checkpoint_threshold": "1TB"})
key = f" (ENCRYPTION_KEY '{sys.argv[2]}')" if sys.argv[2:] else ""
con.execute("LOAD '" + sys.argv[3] + "'") if key else None
con.execute(f"ATTACH '{sys.argv[1]}' AS w{key}")
con.execute("CREATE TABLE w.forged AS SELECT 1 AS i; UPDATE w.calls SET agent_id = 'forged'")
os._exit(0)
"""


def forge(warehouse: Path, key: Key | None) -> Path:
    """A log beside the warehouse that the publisher did not write."""
    given = []
    if key is not None:
        import duckdb_extension_httpfs

        folder = Path(duckdb_extension_httpfs.__path__[0])
        given = [key.text, str(next(folder.rglob("*.duckdb_extension")))]
    subprocess.run([sys.executable, "-c", FORGE, str(warehouse), *given], check=True)
    log = warehouse.with_name(f"{warehouse.name}.wal")
    assert log.stat().st_size
    return log


def test_a_log_that_the_publisher_did_not_write_is_never_taken_over(place: Path) -> None:
    warehouse = place / "w.duckdb"
    agents = ask(warehouse, "SELECT call_id, agent_id FROM calls ORDER BY 1").rows
    publish(place / "w.landing", warehouse, definitions_of(marked()))  # a copy: new time stamps
    for changed in (False, True):
        log = forge(warehouse, current_key())
        for read in (lambda: ask(warehouse, "SELECT 1"), lambda: check_warehouse(warehouse)):
            with pytest.raises(WarehouseError, match=r"w\.duckdb\.wal: a log of changes"):
                read()
        if changed:
            (place / "w.landing" / "reviews").rename(place / "elsewhere")  # something to publish
        report = publish(place / "w.landing", warehouse, definitions_of(marked()))
        assert report.rebuilt is changed
        assert not log.exists()
        assert ask(warehouse, "SELECT call_id, agent_id FROM calls ORDER BY 1").rows == agents
        assert "forged" not in str(ask(warehouse, "SHOW TABLES").rows)


def test_changing_the_key_takes_no_such_log_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, rich("a"))
    log = forge(tmp_path / "w.duckdb", None)
    monkeypatch.setenv("WARMLINE_KEY", a_key())
    change_key(tmp_path / "landing", tmp_path / "w.duckdb", None, current_key())
    assert not log.exists()
    assert ask(tmp_path / "w.duckdb", "SELECT agent_id FROM calls").rows == (("7",),)


def test_a_program_that_is_writing_is_named_and_its_log_left_alone(tmp_path: Path) -> None:
    put(tmp_path, rich("a"))
    script = FORGE.replace("os._exit(0)", "print(flush=True); sys.stdin.read(); os._exit(0)")
    command = [sys.executable, "-c", script, str(tmp_path / "w.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdin and writer.stdout
        writer.stdout.readline()
        for use in (
            lambda: ask(tmp_path / "w.duckdb", "SELECT 1"),
            lambda: put(tmp_path, rich("b")),
        ):
            with pytest.raises(WarehouseError, match="another program has it open for writing"):
                use()
        assert (tmp_path / "w.duckdb.wal").exists()
    put(tmp_path)
    assert rows(tmp_path, "SELECT DISTINCT agent_id FROM calls") == [("7",)]


def test_the_process_of_a_query_imports_what_it_needs_alone() -> None:
    """Each query starts one: what it imports is what every answer waits for."""
    code = (
        "import sys, warmline.query.process; "
        "print([m for m in ('pydantic', 'numpy', 'pyarrow', 'rich', 'typer') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout.strip() == "[]"


ANSWER = """
import os, sys
from warmline.query.process import main
main(os.getppid())
print([m for m in ("pandas", "numpy") if sys.modules.get(m)], file=sys.stderr)
"""


def test_no_question_imports_pandas_to_look_at_the_key(place: Path) -> None:
    """DuckDB would, for any value of Python's: two thirds of what an answer takes."""
    query = questions.Query(str(place / "w.duckdb"), "SELECT 42", {}, 10, 60.0)
    done = subprocess.run(
        [sys.executable, "-c", ANSWER],
        input=json.dumps(
            {"environment": key_environment(os.environ), "folder": "/", **asdict(query)}
        ).encode(),
        capture_output=True,
        check=True,
    )
    assert b"rows" in done.stdout and done.stderr.decode().strip() == "[]"
